//! Which unknowns are eliminated, and where the others stand in the reduced system.

/// A family of variables: how many, numbers of each as stored, and degrees of freedom of each.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub n: usize,
    pub ambient: usize,
    pub tangent: usize,
}

impl Sizes {
    /// Degrees of freedom of all.
    pub fn freedom(&self) -> usize {
        self.n * self.tangent
    }
}

/// The families of variables. All but the eliminated one make the reduced system: a block per variable.
#[derive(Clone, Debug)]
pub struct Layout {
    pub sizes: Vec<Sizes>,
    pub eliminated: Option<usize>,
    /// First block, and first number, of each kept family in the reduced system.
    pub first_block: Vec<usize>,
    pub offset: Vec<usize>,
    pub n_blocks: usize,
    pub n_kept: usize,
}

impl Layout {
    pub fn new(sizes: Vec<Sizes>, eliminated: Option<usize>) -> Self {
        let (mut first_block, mut offset, mut n_blocks, mut n_kept) = (Vec::new(), Vec::new(), 0, 0);
        for (k, s) in sizes.iter().enumerate() {
            first_block.push(n_blocks);
            offset.push(n_kept);
            if Some(k) != eliminated {
                n_blocks += s.n;
                n_kept += s.freedom();
            }
        }
        Layout { sizes, eliminated, first_block, offset, n_blocks, n_kept }
    }

    /// Degrees of freedom of an eliminated variable; 0 where none is.
    pub fn eliminated_width(&self) -> usize {
        self.eliminated.map_or(0, |k| self.sizes[k].tangent)
    }

    pub fn n_eliminated(&self) -> usize {
        self.eliminated.map_or(0, |k| self.sizes[k].n)
    }

    pub fn is_kept(&self, family: usize) -> bool {
        Some(family) != self.eliminated
    }

    /// Degrees of freedom of every block of the reduced system.
    pub fn block_sizes(&self) -> Vec<u32> {
        let kept = self.sizes.iter().enumerate().filter(|&(k, _)| self.is_kept(k));
        kept.flat_map(|(_, s)| std::iter::repeat_n(s.tangent as u32, s.n)).collect()
    }

    /// Numbers of a whole tangent vector: the kept families, then the eliminated one.
    pub fn split(&self, parts: &[&[f64]]) -> (Vec<f64>, Vec<f64>) {
        let kept = (0..parts.len()).filter(|&k| self.is_kept(k)).flat_map(|k| parts[k]).copied().collect();
        (kept, self.eliminated.map_or(Vec::new(), |k| parts[k].to_vec()))
    }

    /// The families again, from the kept and the eliminated numbers.
    pub fn join(&self, kept: &[f64], eliminated: Vec<f64>) -> Vec<Vec<f64>> {
        let mut eliminated = Some(eliminated);
        let part = |k: usize| kept[self.offset[k]..][..self.sizes[k].freedom()].to_vec();
        (0..self.sizes.len())
            .map(|k| if self.is_kept(k) { part(k) } else { eliminated.take().unwrap_or_default() })
            .collect()
    }
}
