//! TensorFlow Lite networks read from bytes and run on Burn.
//!
//! Three steps, one file each: [`flatbuffer`] reads the container, [`model`] the graph, [`plan`] checks every
//! shape and resolves every constant, so that [`network`] can only fail where the device does. The 22 operators
//! are the ones MediaPipe's face networks consist of.

mod decode;
mod flatbuffer;
mod host;
mod layout;
mod model;
mod network;
mod operator;
mod patches;
mod plan;
#[cfg(test)]
mod sample;
mod spatial;
#[cfg(test)]
mod tests;

pub(crate) use network::Network;

/// Why a network cannot be used; the caller knows the file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The bytes break the format, or the graph does not fit together.
    Malformed(String),
    /// A valid network that asks for something this interpreter does not have.
    Unsupported(String),
}

impl Fault {
    fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }

    fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }

    /// Prefixes the place, e.g. the operator.
    fn at(self, place: &str) -> Self {
        match self {
            Self::Malformed(reason) => Self::Malformed(format!("{place}: {reason}")),
            Self::Unsupported(what) => Self::Unsupported(format!("{place}: {what}")),
        }
    }
}
