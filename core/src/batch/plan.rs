//! How a model and its derivatives are made of products on a grid.

/// How the outputs (the model, then its derivatives) are made of products on a grid.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Positions on the two axes: point i * sizes[1] + j is at i on the first and j on the second.
    pub sizes: [usize; 2],
    /// Distinct factors of each axis.
    pub n_factors: [usize; 2],
    /// The two factors of every product.
    pub products: Vec<[usize; 2]>,
    /// The products of every output, with the positions of their coefficients.
    pub outputs: Vec<Vec<(usize, usize)>>,
    /// The model in order of its factors of the second axis: factor, then (factor of the first axis, coefficient).
    pub(crate) across: Vec<(usize, Vec<(usize, usize)>)>,
    /// The same of the part that is constant along the second axis.
    pub(crate) constant: Vec<(usize, usize)>,
    /// What makes up J'J: for every entry of its lower triangle its terms.
    pub(crate) entries: Vec<Vec<Entry>>,
}

/// One term of an entry of J'J: two coefficients, and positions in the sums of products of factors of both axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub coefficients: [usize; 2],
    pub places: [usize; 2],
}

impl Plan {
    /// `one`: the factor of the second axis that is 1 everywhere, if there is one.
    pub fn new(
        sizes: [usize; 2],
        n_factors: [usize; 2],
        products: Vec<[usize; 2]>,
        outputs: Vec<Vec<(usize, usize)>>,
        one: Option<usize>,
    ) -> Plan {
        let mut across: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
        let mut constant = Vec::new();
        for &(product, coefficient) in &outputs[0] {
            let [u, v] = products[product];
            if Some(v) == one {
                constant.push((u, coefficient));
            } else if let Some((_, terms)) = across.iter_mut().find(|(factor, _)| *factor == v) {
                terms.push((u, coefficient));
            } else {
                across.push((v, vec![(u, coefficient)]));
            }
        }
        let mut plan = Plan { sizes, n_factors, products, outputs, across, constant, entries: Vec::new() };
        for a in 1..plan.outputs.len() {
            for b in 1..=a {
                let entry = plan.entry(&plan.outputs[a], &plan.outputs[b]);
                plan.entries.push(entry);
            }
        }
        plan
    }

    /// The sum over all points of the product of two outputs.
    fn entry(&self, a: &[(usize, usize)], b: &[(usize, usize)]) -> Vec<Entry> {
        let mut entry = Vec::new();
        for &(s, c) in a {
            for &(t, d) in b {
                let place = |axis: usize| {
                    let (k, l) = (self.products[s][axis], self.products[t][axis]);
                    k.max(l) * self.n_factors[axis] + k.min(l)
                };
                entry.push(Entry { coefficients: [c, d], places: [place(0), place(1)] });
            }
        }
        entry
    }

    pub fn n_params(&self) -> usize {
        self.outputs.len() - 1
    }
}
