//! The settings: validated and typed, read from the merged [sources](crate::config).

mod admin;
mod bind;
mod certificate;
mod changes;
mod check;
pub mod endpoint;
mod explain;
mod h2c;
mod host;
mod inline;
mod listener;
mod listeners;
mod load;
mod mesh;
mod named_listener;
mod node;
mod origin;
mod plain_route;
mod prefix;
mod read;
mod registry;
mod restart;
mod route;
mod secret;
mod served;
mod service;
mod summary;
mod upstream;
mod validated;
mod values;

pub use self::{
    admin::Admin,
    certificate::CertificateFiles,
    changes::{Change, Values},
    explain::explain,
    h2c::H2c,
    listener::{Listener, ListenerKind, Port},
    load::{Loaded, and_included},
    mesh::{Mesh, MeshFiles},
    named_listener::NamedListener,
    origin::Origin,
    registry::{InvalidRegistry, Login, RegistryServers},
    route::{
        API_HOST, AcceptedCertificates, Allowed, Answer, BasicAuth, ClientCertificate, ConnectsTo, Cors, ErrorPages,
        Files, ForwardAuth, Hidden, Hsts, Inherited, Jwt, JwtKeys, Middleware, Mirror, PemFile, Place, Redirection,
        Respond, Rewriting, Route, ShownPath, UpstreamTls, hidden, in_matching_order,
    },
    secret::{SECRET_FILE, SecretSource},
    served::ServedPlace,
    service::{
        InvalidServiceName, Ready, Restart, Service, ServiceCommand, ServiceLimits, ServiceListen, ServiceName,
        ServiceOutput, ServiceProtocol, ServiceUser, StopSignal,
    },
    summary::{listeners, summary},
    validated::{LogFormat, Settings},
};
