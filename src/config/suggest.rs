/// ": did you mean …?" for the candidate that `word` is most likely a slip of, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None => String::new(),
    }
}

fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    // One slip for each three letters; more than three make another word.
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &folded(candidate)), candidate))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// `Keep-Alive` and `keep_alive` are the same slip of the pen.
fn folded(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        for (word, expected) in [
            ("htpp", Some("http")),
            ("htttps", Some("https")),
            ("Subnet-Dialer", Some("subnet_dialer")),
            ("prefix", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["http", "https", "subnet_dialer"]), expected, "{word}");
        }
    }
}
