//! Text in columns, for people.

/// A line for each row; columns are two spaces apart, and as wide as they need to be. No line ends in a space.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["a", "bb", ""]), row(["äöü", "", "c"]), row(["", "", ""])];
        assert_eq!(columns(&rows), "a    bb\näöü      c\n\n");
        assert_eq!(columns::<3>(&[]), "");
    }
}
