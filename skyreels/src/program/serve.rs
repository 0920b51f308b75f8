//! `skyreels serve`.

use std::env::{VarError, var};
use std::net::TcpListener;
use std::ops::ControlFlow;

use clap::Args;
use serde_json::json;
use skyreels::core::device::{TOKEN_VARIABLE, open_all, serve};
use skyreels::core::{Error as CoreError, Progress};

use super::report::interrupted;
use super::source::request;
use super::{Outcome, Reporter, Result};

#[derive(Debug, Args)]
pub struct Serve {
    /// auto, cpu, cuda, cuda:N or ndarray; several with commas, all of one kind.
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Address and port to listen at; others name it as it is reached from where they are. The traffic is not encrypted:
    /// listen on networks that are trusted. The environment variable SKYREELS_TOKEN, set here and there, keeps strangers out.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3000")]
    pub listen: String,
}

pub fn run(args: &Serve, reporter: &Reporter) -> Result {
    let token = match var(TOKEN_VARIABLE) {
        Ok(token) => Some(token),
        Err(VarError::NotPresent) => None,
        // A server that was to have a token must not do without.
        Err(error) => return Err(request("token", format!("{TOKEN_VARIABLE}: {error}"))),
    };
    let devices = open_all(&args.device)?;
    let listener = TcpListener::bind(&args.listen).map_err(CoreError::io("listen at", &args.listen))?;
    let address = listener.local_addr().map_err(CoreError::io("listen at", &args.listen))?;
    if token.is_none() && !address.ip().is_loopback() {
        reporter.note(&format!("whoever reaches {address} may compute here: {TOKEN_VARIABLE} asks them for a token"));
    }
    reporter.result(
        &format!("ws://{address}/0 to /{} are open; Ctrl-C closes them", devices.len() - 1),
        json!({ "event": "serving", "address": address.to_string(), "devices": devices.len() }),
    );
    let beat = |_| if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    serve(&devices, listener, token.as_deref(), Progress::new(&beat))?;
    Ok(Outcome::Done)
}
