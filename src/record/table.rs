//! Columns of a parquet file by name and type.

use std::fs::File;
use std::path::Path;

use polars::prelude::{AnyValue, DataFrame};
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;

use crate::guard::guarded;
use crate::record::digests::check;

pub(super) struct Table(DataFrame);

macro_rules! column {
    ($name:ident, $accessor:ident, $type:ty) => {
        /// A column without nulls.
        pub fn $name(&self, name: &str) -> Result<Vec<$type>, String> {
            let column = self.0.column(name).map_err(|error| error.to_string())?;
            let values = column.$accessor().map_err(|error| error.to_string())?;
            values
                .iter()
                .map(|value| value.map(Into::into))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| format!("column '{name}' has a null"))
        }
    };
}

macro_rules! optional_column {
    ($name:ident, $accessor:ident, $type:ty) => {
        /// A column that may have nulls.
        pub fn $name(&self, name: &str) -> Result<Vec<Option<$type>>, String> {
            let column = self.0.column(name).map_err(|error| error.to_string())?;
            let values = column.$accessor().map_err(|error| error.to_string())?;
            Ok(values.iter().map(|value| value.map(Into::into)).collect())
        }
    };
}

impl Table {
    /// Reads `columns` of a file, or all of them, once its digest is that of the folder's list.
    ///
    /// # Errors
    /// In words, without the path.
    pub fn read(path: &Path, columns: Option<&[&str]>) -> Result<Self, String> {
        check(path)?;
        let file = File::open(path).map_err(|error| error.to_string())?;
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let reader = ParquetReader::new(file).with_columns(columns);
        let frame = guarded(|| reader.finish())?.map_err(|error| error.to_string())?;
        // A file that was damaged after it was written may be read as such a frame.
        let height = frame.height();
        match frame.columns().iter().find(|column| column.len() != height) {
            Some(column) => Err(format!(
                "it is damaged (column '{}' has {} of {height} rows)",
                column.name(),
                column.len()
            )),
            None => Ok(Self(frame)),
        }
    }

    column!(u32s, u32, u32);
    column!(u64s, u64, u64);
    column!(f64s, f64, f64);
    column!(bools, bool, bool);
    column!(strings, str, String);
    optional_column!(optional_u32s, u32, u32);
    optional_column!(optional_u64s, u64, u64);
    optional_column!(optional_f64s, f64, f64);
    optional_column!(optional_bools, bool, bool);
    optional_column!(optional_strings, str, String);

    pub fn n_rows(&self) -> usize {
        self.0.height()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.column(name).is_ok()
    }

    pub fn names(&self) -> Vec<String> {
        let names = self.0.get_column_names();
        names.into_iter().map(|name| name.to_string()).collect()
    }

    /// A column of numbers or texts as JSON spells its values.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn scalars(&self, name: &str) -> Result<Vec<Option<String>>, String> {
        let column = self.0.column(name).map_err(|error| error.to_string())?;
        (0..self.n_rows())
            .map(|row| {
                let value = column.get(row).map_err(|error| error.to_string())?;
                Ok(match value {
                    AnyValue::Null => None,
                    AnyValue::String(text) => Some(text.to_owned()),
                    other => Some(other.to_string()),
                })
            })
            .collect()
    }
}
