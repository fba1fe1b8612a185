//! Weights and losses of items: what becomes of their residuals and derivatives.

use super::family::Family;

impl Family {
    /// What an item costs twice, by the squared norm of its residuals.
    pub fn term(&self, place: usize, square: f64) -> f64 {
        let square = self.weights.as_ref().map_or(square, |w| w[place] * square);
        match &self.loss {
            None => square,
            // 0 * square: what is not finite costs nothing finite
            Some(loss) => loss.scale() * loss.scale() * loss.rho(loss.z(square.sqrt()))[0] + 0.0 * square,
        }
    }
}

/// Weighs the records of the items start..end; returns their part of the cost. With a loss ρ of the squared norm s of
/// an item, rows `√ρ' (J - α r r'J / s)` and residuals `√ρ' r / (1 - α)`, where `(1 - α)² = 1 + 2 s ρ''/ρ'`, have the
/// gradient and the curvature of the cost (Triggs et al. 2000), the latter at least `family.floor` of that of the squares:
/// beyond the inflection point of a loss the rows would vanish from J otherwise. With a floor of 1 these are reweighted
/// squares.
pub fn weigh(family: &Family, start: usize, end: usize, records: &mut [f64]) -> f64 {
    let (at, rows) = (family.at_residuals(), family.rows);
    let mut twice = 0.0;
    for (place, record) in (start..end).zip(records.chunks_mut(family.stride)) {
        let square: f64 = record[at..at + rows].iter().map(|r| r * r).sum();
        twice += family.term(place, square);
        let weight = family.weights.as_ref().map_or(1.0, |w| w[place]);
        if weight != 1.0 {
            record.iter_mut().for_each(|x| *x *= weight.sqrt());
        }
        if let Some(loss) = &family.loss {
            let z = loss.z((weight * square).sqrt());
            let [_, slope, bend] = loss.rho(z);
            bend_record(family, record, weight * square, slope, bend, z);
        }
    }
    0.5 * twice
}

fn bend_record(family: &Family, record: &mut [f64], square: f64, slope: f64, bend: f64, z: f64) {
    let (at, rows) = (family.at_residuals(), family.rows);
    let ratio = if slope > 0.0 && bend != 0.0 { 1.0 + 2.0 * z * bend / slope } else { 1.0 };
    let kept = ratio.max(family.floor).sqrt();
    let root = slope.sqrt();
    let part = if square > 0.0 { (1.0 - kept) / square } else { 0.0 };
    let residuals = record[at..at + rows].to_vec();
    for (begin, width) in [(0, family.width), (family.at_eliminated(), family.eliminated)] {
        for c in 0..width {
            let along: f64 = (0..rows).map(|i| residuals[i] * record[begin + i * width + c]).sum();
            for i in 0..rows {
                let x = &mut record[begin + i * width + c];
                *x = root * (*x - part * residuals[i] * along);
            }
        }
    }
    record[at..at + rows].iter_mut().for_each(|r| *r *= root / kept);
}
