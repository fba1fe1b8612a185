//! What many fits are made from, as the caller's arrays hold it.

use crate::likelihood::Family;

/// Numbers that all fits share (m), or that each has for itself (k x m, by rows).
#[derive(Clone, Copy, Debug)]
pub enum Table<'a> {
    Shared(&'a [f64]),
    Own(&'a [f64]),
}

impl<'a> Table<'a> {
    /// The numbers of one fit.
    pub fn of(&self, fit: usize, m: usize) -> &'a [f64] {
        match self {
            Table::Shared(values) => values,
            Table::Own(values) => &values[fit * m..][..m],
        }
    }

    fn check(&self, k: usize, m: usize, what: &str) -> Result<(), String> {
        let (len, wanted) = match self {
            Table::Shared(values) => (values.len(), m),
            Table::Own(values) => (values.len(), k * m),
        };
        if len == wanted { Ok(()) } else { Err(format!("{what} has {len} numbers instead of {wanted}")) }
    }
}

/// Observations, k x m by rows, in the precision they come in.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    Double(&'a [f64]),
    Single(&'a [f32]),
}

impl Numbers<'_> {
    fn len(&self) -> usize {
        match self {
            Numbers::Double(values) => values.len(),
            Numbers::Single(values) => values.len(),
        }
    }

    #[inline]
    pub fn at(&self, i: usize) -> f64 {
        match self {
            Numbers::Double(values) => values[i],
            Numbers::Single(values) => f64::from(values[i]),
        }
    }
}

/// k fits of m points each.
#[derive(Clone, Debug)]
pub struct Data<'a> {
    pub n_fits: usize,
    pub n_points: usize,
    pub y: Numbers<'a>,
    /// Columns of the model.
    pub columns: Vec<Table<'a>>,
    /// Square roots of the weights; of a likelihood how often each point counts.
    pub weights: Option<Table<'a>>,
    /// Which points count, k x m.
    pub mask: Option<&'a [bool]>,
    /// All parameters of the model, those that are held at their values.
    pub values: &'a [f64],
    /// Values of the held parameters where they differ between fits, k x h.
    pub held: Option<&'a [f64]>,
    /// Positions of the free parameters among all.
    pub free: &'a [usize],
    pub start: Table<'a>,
    pub lower: Table<'a>,
    pub upper: Table<'a>,
    /// What the response counts; None: least squares.
    pub family: Option<Family>,
    /// Are errors scaled by the reduced chi-square, as the noise is not known?
    pub scaled: bool,
}

impl Data<'_> {
    /// Positions of the parameters that are held.
    pub fn held_parameters(&self) -> Vec<usize> {
        (0..self.values.len()).filter(|j| !self.free.contains(j)).collect()
    }

    /// All parameters of a fit, its own held values in their places.
    pub fn values_of(&self, fit: usize) -> Vec<f64> {
        let mut values = self.values.to_vec();
        if let Some(held) = self.held {
            let places = self.held_parameters();
            let own = &held[fit * places.len()..];
            places.iter().zip(own).for_each(|(&j, &value)| values[j] = value);
        }
        values
    }

    /// Is the response of a fit one number, and are there several parameters to be told from it?
    pub fn is_constant(&self, fit: usize) -> bool {
        let m = self.n_points;
        let first = self.y.at(fit * m);
        let mut others = (1..m).rev(); // the last one differs from the first as a rule
        self.free.len() > 1 && others.all(|i| self.y.at(fit * m + i) == first)
    }

    /// Is there a bound that is finite?
    pub fn is_bounded(&self) -> bool {
        [self.lower, self.upper].iter().any(|table| {
            let (Table::Shared(values) | Table::Own(values)) = table;
            values.iter().any(|bound| bound.is_finite())
        })
    }

    /// Do the lengths fit together? The error names what does not.
    pub fn check(&self) -> Result<(), String> {
        let (k, m, p) = (self.n_fits, self.n_points, self.free.len());
        if self.y.len() != k * m {
            return Err(format!("y has {} numbers instead of {k} x {m}", self.y.len()));
        }
        for (j, column) in self.columns.iter().enumerate() {
            column.check(k, m, &format!("column {j}"))?;
        }
        for (table, what) in [(self.start, "start"), (self.lower, "lower"), (self.upper, "upper")] {
            table.check(k, p, what)?;
        }
        if let Some(weights) = &self.weights {
            weights.check(k, m, "weights")?;
        }
        if self.mask.is_some_and(|mask| mask.len() != k * m) {
            return Err(format!("the mask does not have {k} x {m} entries"));
        }
        if self.free.iter().any(|&j| j >= self.values.len()) {
            return Err("a free parameter is out of range".into());
        }
        if self.held.is_some_and(|held| held.len() != k * (self.values.len() - p)) {
            return Err(format!("held has {} numbers", self.held.map_or(0, <[f64]>::len)));
        }
        Ok(())
    }
}
