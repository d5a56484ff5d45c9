//! Chooses the listener for a request.

use super::{
    explanation::ExplainedListener,
    question::{InvalidQuestion, default_port, scheme},
    request::Asked,
};
use crate::settings::{Listener, ListenerKind, Port, Settings};

/// The listener for a request.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) listener: Listener,
    pub(super) explained: ExplainedListener,
    /// Why the listener cannot understand the client, if it cannot.
    pub(super) mismatch: Option<&'static str>,
}

/// Chooses the listener by the port of the URL. Without one, the default listener for the scheme may have another port,
/// for example behind a port mapping.
pub(super) fn choose(asked: &Asked, settings: &Settings) -> Result<Chosen, InvalidQuestion> {
    let port = asked.port.unwrap_or(default_port(asked.is_tls));
    let kind = if asked.is_tls { ListenerKind::Tls } else { ListenerKind::Plain };
    let usual = if asked.is_tls { Listener::Https } else { Listener::Http };
    let with_port = |port| settings.all_listeners().filter(move |one| settings.port(one) == Port::Number(port));
    let of_kind = |port| with_port(port).find(|listener| listener.kind() == kind);
    let scheme = scheme(asked.is_tls);
    if let Some(listener) = of_kind(port).or_else(|| with_port(port).next()) {
        let note = asked.port.is_none().then(|| format!("the default of {scheme}"));
        return Ok(chosen(asked, listener, port, note));
    }
    if asked.port.is_none()
        && let Port::Number(own) = settings.port(&usual)
    {
        let note = format!("the URL means port {port}, which something must forward here");
        return Ok(chosen(asked, usual, own, Some(note)));
    }
    if asked.port.is_some()
        && let Some(listener) = of_kind(0)
    {
        return Ok(chosen(asked, listener, 0, Some(format!("the kernel picks its port, perhaps {port}"))));
    }
    Err(InvalidQuestion(format!("no listener has port {port}{}; {}", default_note(asked), all(settings))))
}

fn chosen(asked: &Asked, listener: Listener, port: u16, note: Option<String>) -> Chosen {
    let mismatch = match (listener.kind(), asked.is_tls) {
        (ListenerKind::Plain, true) => {
            Some("this listener has no TLS, so it cannot read a TLS handshake: write http://")
        }
        (ListenerKind::Tls, false) => Some("this listener waits for a TLS handshake: write https://"),
        (ListenerKind::Nodes, _) => {
            Some("this listener is only for other nodes, which prove that they know the secret")
        }
        _ => None,
    };
    let explained = ExplainedListener { name: listener.name().to_owned(), port, note };
    Chosen { listener, explained, mismatch }
}

fn default_note(asked: &Asked) -> String {
    match asked.port {
        Some(_) => String::new(),
        None => format!(", the default of {}", scheme(asked.is_tls)),
    }
}

/// `http has port 80, https is off`
fn all(settings: &Settings) -> String {
    let port = |listener: &Listener| match settings.port(listener) {
        Port::Off => format!("{} is off", listener.name()),
        Port::Number(port) => format!("{} has port {port}", listener.name()),
    };
    settings.all_listeners().map(|listener| port(&listener)).collect::<Vec<_>>().join(", ")
}
