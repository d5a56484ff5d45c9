use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::identity::NodeName;

/// Returns the node that a certificate names, or `None` if it names no node or more than one. The caller must also verify
/// the certificate.
///
/// Names with a dot are host names. They are skipped, and so are wildcards.
pub(super) fn node_name(certificate: &CertificateDer<'_>) -> Option<NodeName> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut nodes = certificate.valid_dns_names().filter_map(|name| name.parse::<NodeName>().ok());
    let name = nodes.next()?;
    nodes.all(|other| other == name).then_some(name)
}
