//! Devices of another process, on this machine or another one: Burn's remote backend over WebSocket.
//!
//! The traffic is not encrypted: it belongs on a network that is trusted. Tensors that move from one server to another go there directly.

use std::net::TcpListener;

use burn::tensor::Device;

use crate::{Progress, Result};

/// What a string begins with that names a device of a server.
pub(super) const SCHEME: &str = "ws://";

/// The environment variable with the token that servers ask for.
pub const TOKEN_VARIABLE: &str = "SKYREELS_TOKEN";

/// Lets other processes compute on `devices`, which they name `ws://HOST:PORT/N` by their position in the list, until `progress` asks to
/// stop. With a `token`, only those are let in that have it in [`TOKEN_VARIABLE`].
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) for devices that cannot be served together (all must be of one backend), when serving fails, and
/// where the feature `remote` is not compiled in.
pub fn serve(devices: &[Device], listener: TcpListener, token: Option<&str>, progress: Progress) -> Result<()> {
    imp::serve(devices, listener, token, progress)
}

pub(super) fn connect(name: &str, server: &str, index: usize) -> Result<Device> {
    imp::connect(name, server, index)
}

#[cfg(feature = "remote")]
mod imp {
    use std::pin::pin;
    use std::time::Duration;

    use burn::remote::RemoteHost;
    use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};

    use super::*;
    use crate::device::device_error;

    /// How often a server looks whether it is asked to stop.
    const BEAT: Duration = Duration::from_millis(100);

    pub(super) fn serve(
        devices: &[Device],
        listener: TcpListener,
        token: Option<&str>,
        progress: Progress,
    ) -> Result<()> {
        let at = listener.local_addr().map(|address| format!("{SCHEME}{address}")).unwrap_or_default();
        let failed = |reason: String| device_error(&at, &reason, "serve other devices, or elsewhere");
        let mut server = RemoteServer::new(devices.to_vec());
        if let Some(token) = token {
            let authorizer = TokenAuthorizer::new(token).map_err(|error| failed(error.to_string()))?;
            server = server.with_authorizer(authorizer);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        let ended = runtime.block_on(async {
            let mut serving = pin!(server.serve_async(WebSocketTransport::from_listener(listener)));
            loop {
                match tokio::time::timeout(BEAT, &mut serving).await {
                    Ok(ended) => return ended.map_err(|error| failed(error.to_string())),
                    Err(_) if progress.report("serve", 0, None).is_err() => return Ok(()),
                    Err(_) => {}
                }
            }
        });
        // Sessions that are under way are not waited for.
        runtime.shutdown_background();
        ended
    }

    pub(super) fn connect(name: &str, server: &str, index: usize) -> Result<Device> {
        let mut host = RemoteHost::websocket(server);
        if let Ok(token) = std::env::var(TOKEN_VARIABLE) {
            host = host.with_credential(token.as_str());
        }
        let help = format!(
            "start `skyreels serve` there, built from the same version; if it has a token, set {TOKEN_VARIABLE} to it"
        );
        Device::remote_options(&host)
            .device_index(index)
            .init()
            .map_err(|error| device_error(name, &error.to_string(), &help))
    }
}

#[cfg(not(feature = "remote"))]
mod imp {
    use super::*;
    use crate::device::not_compiled;

    pub(super) fn serve(_: &[Device], _: TcpListener, _: Option<&str>, _: Progress) -> Result<()> {
        Err(not_compiled(SCHEME, "remote"))
    }

    pub(super) fn connect(name: &str, _: &str, _: usize) -> Result<Device> {
        Err(not_compiled(name, "remote"))
    }
}

#[cfg(all(test, feature = "remote", feature = "flex"))]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicBool, Ordering};

    use burn::tensor::Tensor;

    use super::*;
    use crate::device::{Backend, open};

    #[test]
    fn a_served_device_computes_until_the_server_is_stopped() {
        let stop = AtomicBool::new(false);
        let beat = |_| if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("{SCHEME}{}", listener.local_addr().unwrap());
        std::thread::scope(|scope| {
            let serving =
                scope.spawn(|| serve(&[Device::flex(), Device::flex()], listener, None, Progress::new(&beat)));
            let [first, second] = [0, 1].map(|index| open(&format!("{server}/{index}")).unwrap());
            assert_eq!([&first, &second].map(Backend::of), [Backend::Remote; 2]);
            assert!(first != second && !Backend::has_collective(&first));
            let moved = Tensor::<1>::from_data([1.0f32, 2.0], &first).mul_scalar(3.0).to_device(&second);
            assert_eq!(moved.device(), second);
            assert_eq!(moved.sum().try_into_vec_as::<f32>().unwrap(), [9.0]);
            stop.store(true, Ordering::SeqCst);
            serving.join().unwrap().unwrap();
        });
    }

    #[test]
    fn devices_that_cannot_be_served_together_and_empty_tokens_are_refused() {
        let refused = |devices: &[Device], token| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            serve(devices, listener, token, Progress::none()).unwrap_err().to_string()
        };
        assert!(refused(&[], None).contains("at least one device"));
        #[cfg(feature = "ndarray")]
        assert!(refused(&[Device::flex(), open("ndarray").unwrap()], None).contains("backend"));
        assert!(refused(&[Device::flex()], Some("")).contains("token"));
    }
}
