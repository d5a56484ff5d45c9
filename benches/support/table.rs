//! Tables in Markdown.

use std::fmt;

pub struct Table(Vec<Vec<String>>);

impl Table {
    pub fn new(columns: &[&str]) -> Self {
        Self(vec![columns.iter().map(|&column| column.to_owned()).collect()])
    }

    /// Whether no row was selected.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    /// Adds a row and reports progress on standard error.
    pub fn row(&mut self, cells: Vec<String>) {
        eprintln!("{}", cells.join(", "));
        self.0.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0[0].len();
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.0.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                writeln!(f, "{}|", "| --- ".repeat(columns))?;
            }
        }
        Ok(())
    }
}
