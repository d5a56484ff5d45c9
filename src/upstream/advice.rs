//! Advice on which setting to change when an upstream cannot be used as configured.

use std::{error::Error, io, iter};

use pmesh_layers::{
    connect::TlsError,
    pool::{Http2Error, PoolError},
};
use rustls::{AlertDescription, CertificateError};

/// Advice for a failed request to `endpoint`, if changing a setting may help.
pub(super) fn advice(endpoint: &str, error: &(dyn Error + 'static)) -> Option<String> {
    let causes = || iter::successors(Some(error), |error| (*error).source());
    if let Some(error) = causes().find_map(|cause| cause.downcast_ref::<TlsError>()) {
        return on_tls(error);
    }
    // In TLS 1.3, a server checks the client's certificate after the handshake.
    if let Some(alert) = causes().find_map(|cause| alert(cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()?))
    {
        return on_alert(alert);
    }
    if let Some(Http2Error::NotHttp2(first_bytes)) = causes().find_map(|cause| cause.downcast_ref()) {
        return match first_bytes {
            bytes if bytes.starts_with(ALERT) => Some("the upstream speaks TLS: write h2://".into()),
            bytes if bytes.starts_with("HTTP/1.") => Some("the upstream speaks HTTP/1.1: write http://".into()),
            _ => None,
        };
    }
    let is_plain = endpoint.contains(':') && !endpoint.contains("://") && !endpoint.starts_with("unix:");
    let may_be_tls = error.downcast_ref::<PoolError>().is_some_and(PoolError::may_be_wrong_protocol);
    (is_plain && may_be_tls).then(|| "if that port speaks TLS, write https://".into())
}

/// The first bytes of a TLS alert, as text. A server that expected TLS sends one.
const ALERT: &str = "\u{15}\u{3}";

fn on_tls(error: &TlsError) -> Option<String> {
    if error.is_plain() {
        return Some("for a port without TLS, write http:// or h2c://".into());
    }
    if error.is_ca_certificate() {
        return Some("to accept it, set tls.ca to a file with exactly that certificate".into());
    }
    if error.lacks_http2() {
        return Some("for HTTP/1.1 over TLS, write https://".into());
    }
    let Some(error) = error.handshake_error() else {
        let ended = error.source().and_then(|error| error.downcast_ref()).map(io::Error::kind);
        return (ended == Some(io::ErrorKind::UnexpectedEof))
            .then(|| "the server may not know the requested name: set tls.server_name to one that it serves".into());
    };
    match error {
        rustls::Error::AlertReceived(alert) => on_alert(*alert),
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => Some(
                "set tls.ca to a file with the authority's certificate, or with the server's own if it is self-signed"
                    .into(),
            ),
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => Some(
                "the certificate must have the name in its subjectAltName, as with openssl req -addext \
                 subjectAltName=DNS:NAME; the common name does not count"
                    .into(),
            ),
            CertificateError::NotValidForNameContext { .. } => {
                Some("set tls.server_name to a name that the certificate is valid for".into())
            }
            CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. } => {
                Some("renew the certificate, or correct the clock of this machine".into())
            }
            _ => None,
        },
        _ => None,
    }
}

fn alert(error: &rustls::Error) -> Option<AlertDescription> {
    match error {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

fn on_alert(alert: AlertDescription) -> Option<String> {
    Some(match alert {
        AlertDescription::NoApplicationProtocol => {
            "the server does not offer this version of HTTP: write https:// for HTTP/1.1 or h2:// for HTTP/2".into()
        }
        AlertDescription::UnrecognisedName => "set tls.server_name to a name that the server serves".into(),
        AlertDescription::CertificateRequired => {
            "the server requires a client certificate: set tls.cert and tls.key".into()
        }
        AlertDescription::CertificateExpired => {
            "the server says that the certificate in tls.cert has expired: renew it".into()
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::UnsupportedCertificate => {
            "the server does not accept the certificate in tls.cert: set tls.cert and tls.key to one that it trusts"
                .into()
        }
        _ => return None,
    })
}
