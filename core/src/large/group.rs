//! Tracks: the items that share an eliminated variable, or single items where none is eliminated.

use std::ops::Range;

use super::family::Family;
use super::layout::Layout;

/// Families whose items stand in the same tracks.
pub struct Group {
    pub families: Vec<usize>,
    pub n_tracks: usize,
    /// Degrees of freedom of the eliminated variable; 0: each item is its own track.
    pub eliminated: usize,
    /// Tracks of each job: they depend on the problem only, so that sums do not depend on the threads.
    pub jobs: Vec<Range<usize>>,
}

/// One block of columns of one item: the unit of which pairs make blocks of the reduced system.
#[derive(Clone, Copy)]
pub struct Unit {
    pub family: usize,
    pub place: usize,
    /// First column, and number of columns, in the record.
    pub column: usize,
    pub width: usize,
    pub block: u32,
}

/// A job keeps sums over all kept unknowns: no more of them than the items repay.
const MAX_JOBS: usize = 16;
const ITEMS_PER_JOB: usize = 2048;

impl Group {
    fn new(
        families: Vec<usize>,
        n_tracks: usize,
        eliminated: usize,
        all: &[Family],
        layout: &Layout,
    ) -> Self {
        let n_items: usize = families.iter().map(|&f| all[f].n).sum();
        let repaid = 8 * n_items / layout.n_kept.max(1);
        let n_jobs = repaid.min(n_items / ITEMS_PER_JOB).clamp(1, MAX_JOBS);
        let before = |t: usize| families.iter().map(|&f| all[f].starts[t] as usize).sum::<usize>();
        let (mut jobs, mut begin) = (Vec::with_capacity(n_jobs), 0);
        for k in 1..=n_jobs {
            let mut end = if k == n_jobs { n_tracks } else { begin };
            while end < n_tracks && before(end) < k * n_items / n_jobs {
                end += 1;
            }
            jobs.push(begin..end);
            begin = end;
        }
        Group { families, n_tracks, eliminated, jobs }
    }

    /// The groups of a problem: the families with an eliminated variable share tracks, the others stand alone.
    pub fn all(families: &[Family], layout: &Layout) -> Vec<Group> {
        let tracked: Vec<usize> = (0..families.len()).filter(|&f| families[f].eliminated > 0).collect();
        let mut groups = Vec::new();
        if let Some(k) = layout.eliminated {
            groups.push(Group::new(tracked, layout.sizes[k].n, layout.sizes[k].tangent, families, layout));
        }
        for f in (0..families.len()).filter(|&f| families[f].eliminated == 0) {
            groups.push(Group::new(vec![f], families[f].n, 0, families, layout));
        }
        groups
    }

    /// The units of a track, family by family.
    pub fn units(&self, families: &[Family], track: usize, units: &mut Vec<Unit>) {
        units.clear();
        for &f in &self.families {
            let family = &families[f];
            for place in family.track(track) {
                for &k in &family.kept {
                    let slot = &family.slots[k];
                    let block = slot.first_block as u32 + slot.index[place];
                    units.push(Unit { family: f, place, column: slot.column, width: slot.tangent, block });
                }
            }
        }
    }

    /// One family with one kept variable per item: (residuals, columns).
    pub fn uniform(&self, families: &[Family]) -> Option<(usize, usize)> {
        let [f] = self.families[..] else { return None };
        (families[f].kept.len() == 1).then(|| (families[f].rows, families[f].width))
    }

    /// One family of items that each have two kept variables of equal width, with nothing eliminated: (residuals, width).
    pub fn edges(&self, families: &[Family]) -> Option<(usize, usize)> {
        let [f] = self.families[..] else { return None };
        let [a, b] = families[f].kept[..] else { return None };
        let (a, b) = (families[f].slots[a].tangent, families[f].slots[b].tangent);
        (a == b && self.eliminated == 0).then_some((families[f].rows, a))
    }
}

impl Family {
    /// Places of the items of a track.
    #[inline(always)]
    pub fn track(&self, track: usize) -> Range<usize> {
        self.starts[track] as usize..self.starts[track + 1] as usize
    }

    /// Places of the items of some tracks.
    pub fn tracks(&self, tracks: &Range<usize>) -> Range<usize> {
        self.starts[tracks.start] as usize..self.starts[tracks.end] as usize
    }
}
