//! The served names, to match certificates against.

use std::collections::HashSet;

use pmesh_layers::host::{HostName, HostPattern, parents};

/// The served names, to match certificates against.
#[derive(Debug, Default)]
pub(super) struct Served {
    exact: HashSet<HostName>,
    /// The parents of wildcards.
    below: HashSet<HostName>,
    /// The parents of exact names.
    parents: HashSet<HostName>,
    addresses: Vec<HostName>,
}

impl Served {
    pub(super) fn addresses(&self) -> impl Iterator<Item = &HostName> {
        self.addresses.iter()
    }

    /// Whether a certificate with this name is valid for any of them. A wildcard in a certificate covers one label (RFC
    /// 9525, 6.3), a served wildcard any number.
    pub(super) fn overlaps(&self, certificate: &HostPattern) -> bool {
        let is_below = |name: &HostName| parents(name.as_str()).any(|parent| self.below.contains(parent));
        match certificate {
            HostPattern::Exact(name) => self.exact.contains(name) || is_below(name),
            HostPattern::Below(parent) => {
                self.parents.contains(parent) || self.below.contains(parent) || is_below(parent)
            }
        }
    }
}

impl FromIterator<HostPattern> for Served {
    fn from_iter<I: IntoIterator<Item = HostPattern>>(patterns: I) -> Self {
        let mut served = Self::default();
        for pattern in patterns {
            match pattern {
                HostPattern::Exact(name) => {
                    if name.is_ip() {
                        served.addresses.push(name.clone());
                    } else if let Some(parent) = parents(name.as_str()).next().and_then(|parent| parent.parse().ok()) {
                        served.parents.insert(parent);
                    }
                    served.exact.insert(name);
                }
                HostPattern::Below(parent) => drop(served.below.insert(parent)),
            }
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn useful_certificates_overlap_with_a_served_name() {
        for (certificate, served, expected) in [
            ("a.example.com", "a.example.com", true),
            ("a.example.com", "*.example.com", true),
            ("a.example.com", "b.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", "*.example.com", true),
            ("*.b.example.com", "*.example.com", true),
            ("*.example.com", "*.b.example.com", false),
        ] {
            let names: Served = [served.parse().unwrap()].into_iter().collect();
            assert_eq!(names.overlaps(&certificate.parse().unwrap()), expected, "{certificate} {served}");
        }
    }
}
