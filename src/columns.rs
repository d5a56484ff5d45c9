//! Text in columns, for the output of commands.

/// A cell wider than this does not widen its column further.
const WIDEST: usize = 120;

/// Formats one line per row. Columns are two spaces apart and as wide as their widest cell, but a very long cell widens
/// only its own line. No line ends in a space.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(WIDEST));
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
    fn cells_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["a", "bb", ""]), row(["äöü", "", "c"]), row(["", "", ""])];
        assert_eq!(columns(&rows), "a    bb\näöü      c\n\n");
        assert_eq!(columns::<3>(&[]), "");
    }

    #[test]
    fn a_very_long_cell_widens_only_its_own_line() {
        let long = "x".repeat(100_000);
        let rows = [[long.clone(), "a".to_owned()], ["b".to_owned(), "c".to_owned()]];
        assert_eq!(columns(&rows), format!("{long}  a\nb{}  c\n", " ".repeat(WIDEST - 1)));
    }
}
