//! NumPy arrays of any number type and stride as columns that outlive the GIL, and blocks of them.

use std::sync::Arc;

use marquardt_core::evaluate::stream::{self, Series, Weighing};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A number as it is stored.
trait Number: Copy {
    /// `swapped`: its bytes stand in the other order.
    fn float(self, swapped: bool) -> f64;
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            #[inline(always)]
            fn float(self, swapped: bool) -> f64 {
                (if swapped { self.swap_bytes() } else { self }) as f64
            }
        }
    )*};
}

macro_rules! floats {
    ($($t:ty)*) => {$(
        impl Number for $t {
            #[inline(always)]
            fn float(self, swapped: bool) -> f64 {
                (if swapped { <$t>::from_bits(self.to_bits().swap_bytes()) } else { self }) as f64
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64);
floats!(f32 f64);

/// A one-dimensional array of numbers as it lies in memory, kept alive and readable while the GIL is released.
///
/// As with every NumPy extension that releases the GIL, the caller must not write to the array meanwhile.
struct Strided {
    _keep: Py<PyUntypedArray>,
    start: *const u8,
    /// Bytes from one number to the next.
    step: isize,
    len: usize,
    swapped: bool,
    /// Copies rows start.. into a room.
    copy: fn(&Strided, usize, &mut [f64]),
    /// They are float64 of this machine, one after the other.
    plain: bool,
}

// SAFETY: the memory is owned by the array that `_keep` keeps alive, and is only read.
unsafe impl Send for Strided {}
unsafe impl Sync for Strided {}

/// Copies rows start.. of an array of T.
fn copy<T: Number>(from: &Strided, start: usize, room: &mut [f64]) {
    assert!(start + room.len() <= from.len);
    // SAFETY: inside the array, which lives as long as `from`; it may lie at any address.
    let number = |k: usize, step: isize| unsafe {
        from.start.offset((start + k) as isize * step).cast::<T>().read_unaligned().float(from.swapped)
    };
    if from.step == size_of::<T>() as isize && !from.swapped {
        room.iter_mut().enumerate().for_each(|(k, r)| *r = number(k, size_of::<T>() as isize));
    } else {
        room.iter_mut().enumerate().for_each(|(k, r)| *r = number(k, from.step));
    }
}

impl Series for Strided {
    fn len(&self) -> usize {
        self.len
    }

    fn read<'a>(&'a self, start: usize, room: &'a mut [f64]) -> &'a [f64] {
        if self.plain {
            assert!(start + room.len() <= self.len);
            // SAFETY: plain and aligned, inside the array, which lives as long as self.
            return unsafe { std::slice::from_raw_parts(self.start.cast::<f64>().add(start), room.len()) };
        }
        (self.copy)(self, start, room);
        room
    }
}

/// An array as a column.
pub struct Column(pub stream::Column);

impl<'py> FromPyObject<'_, 'py> for Column {
    type Error = PyErr;
    fn extract(array: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let array: Bound<'py, PyUntypedArray> = array.cast::<PyUntypedArray>()?.to_owned();
        let (&[step], dtype) = (array.strides(), array.dtype()) else {
            return Err(PyValueError::new_err("a column must have one dimension"));
        };
        let copy = match (dtype.kind(), dtype.itemsize()) {
            (b'f', 8) => copy::<f64>,
            (b'f', 4) => copy::<f32>,
            (b'i', 1) => copy::<i8>,
            (b'i', 2) => copy::<i16>,
            (b'i', 4) => copy::<i32>,
            (b'i', 8) => copy::<i64>,
            (b'u' | b'b', 1) => copy::<u8>,
            (b'u', 2) => copy::<u16>,
            (b'u', 4) => copy::<u32>,
            (b'u', 8) => copy::<u64>,
            (kind, size) => {
                let message = format!("columns of type {}{size} are not read", char::from(kind));
                return Err(PyValueError::new_err(message));
            }
        };
        // SAFETY: the array is alive; its data pointer is read.
        let start = unsafe { (*array.as_array_ptr()).fields.data }.cast::<u8>().cast_const();
        let swapped = dtype.is_native_byteorder() == Some(false);
        let plain = dtype.kind() == b'f'
            && dtype.itemsize() == 8
            && !swapped
            && step == 8
            && start.cast::<f64>().is_aligned();
        let len = array.len();
        Ok(Column(Arc::new(Strided { _keep: array.unbind(), start, step, len, swapped, copy, plain })))
    }
}

/// Columns, response, weights with what they say ("factor", "sigma", "squares"), number of rows.
#[derive(FromPyObject)]
pub struct Chunk(Vec<Column>, Option<Column>, Option<(Column, String)>, usize);

impl Chunk {
    pub fn into_rows(self) -> PyResult<stream::Chunk> {
        let weighing = |(column, says): (Column, String)| match says.as_str() {
            "factor" => Ok((column.0, Weighing::Factor)),
            "sigma" => Ok((column.0, Weighing::Sigma)),
            "squares" => Ok((column.0, Weighing::Squares)),
            _ => Err(PyValueError::new_err(format!("weights cannot be {says:?}"))),
        };
        Ok(stream::Chunk {
            columns: self.0.into_iter().map(|c| c.0).collect(),
            y: self.1.map(|c| c.0),
            w: self.2.map(weighing).transpose()?,
            n_rows: self.3,
        })
    }
}

/// Is no value NaN or infinite? Of a column of any number type.
#[pyfunction]
pub fn finite_series(py: Python<'_>, column: Column) -> bool {
    py.detach(|| {
        let mut room = vec![0.0; 4096];
        (0..column.0.len()).step_by(room.len()).all(|start| {
            let n = room.len().min(column.0.len() - start);
            marquardt_core::evaluate::checks::all_finite(column.0.read(start, &mut room[..n]))
        })
    })
}
