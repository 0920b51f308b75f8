//! Devices of other processes: what is computed there is what is computed here.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use skyreels::core::device::TOKEN_VARIABLE;

use crate::common::{accepted, arguments, events, refused, says, skyreels, tiny};

/// A process that serves the CPU, until it goes out of scope.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(token: Option<&str>) -> Self {
        let mut command = skyreels();
        command.args(["serve", "--device", "cpu", "--listen", "127.0.0.1:0", "--json"]).env_remove(TOKEN_VARIABLE);
        command.envs(token.map(|token| (TOKEN_VARIABLE, token)));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["devices"], 1);
        Self { process, address: event["address"].as_str().unwrap().to_owned() }
    }

    fn device(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Losses and gradient norms of a run's steps.
fn steps(place: &Path, device: &str, out: &str) -> Vec<[f64; 2]> {
    let (said, _) = accepted(place, &format!("train --config {{}}/run.toml -o {{}}/{out} --device {device} --json"));
    let steps = events(&said).into_iter().filter(|event| event["event"] == "step");
    steps.map(|step| ["loss", "gradient_norm"].map(|name| step[name].as_f64().unwrap())).collect()
}

#[test]
fn two_processes_take_the_training_steps_that_one_takes() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    // Three examples a step: the parts are not equal.
    fs::write(
        place.join("run.toml"),
        "model = \"tiny\"\n[task.diffusion]\nheld_out = 0\n[data.rendered]\nsize = [9, 96, 160]\nidentities = 3\nclips = 1\n\
         [run]\nseed = 3\nvalidate_every = 0\n[[run.stages]]\nname = \"only\"\nsteps = 3\nbatch = 3\n\
         parameters = { train = [\"transformer.*\"] }\nlearning_rate = { peak = 1e-3 }\nclip_norm = 1.0\n",
    )
    .unwrap();
    let here = steps(place, "cpu", "here");
    assert_eq!(here.len(), 3);
    let servers = [Server::start(None), Server::start(None)];
    let [first, second] = servers.each_ref().map(Server::device);
    // Parameters and gradients go from one server to the other, and between a server and this process.
    for (devices, out) in [(format!("{first},{second}"), "servers"), (format!("cpu,{second}"), "mixed")] {
        let there = steps(place, &devices, out);
        assert_eq!(there.len(), 3);
        for (ours, theirs) in here.iter().flatten().zip(there.iter().flatten()) {
            assert!((ours - theirs).abs() < 1e-4 * ours.abs(), "{here:?} {there:?}");
        }
    }
}

#[test]
fn what_a_server_animates_is_what_this_process_does() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    let server = Server::start(None);
    let latents = |device: &str, kept: &str| {
        let run =
            format!("{} --model {{}}/tiny --device {device} --keep-intermediates {{}}/{kept}", crate::common::demo(2));
        accepted(place, &format!("{run} -o {{}}/{kept}.mp4"));
        let bytes = fs::read(place.join(kept).join("latents.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor("latents").unwrap().data().to_vec();
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect::<Vec<f32>>()
    };
    let (here, there) = (latents("cpu", "here"), latents(&server.device(), "there"));
    assert_eq!(here.len(), there.len());
    let largest = here.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let apart = here.iter().zip(&there).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(apart < 1e-4 * largest, "{apart} of {largest}");
}

#[test]
fn servers_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let init = |device: &str| refused(place, &format!("init {{}}/model --device {device}"));
    says(&init("ws://nowhere"), &["ws://nowhere", "host and port"]);
    let server = Server::start(Some("a token"));
    says(&init(&server.device()), &[&server.device(), TOKEN_VARIABLE]);
    let with_token = |device: &str| {
        let run = arguments(place, &format!("init {{}}/model --device {device}"));
        skyreels().args(run).env(TOKEN_VARIABLE, "a token").output().unwrap()
    };
    let second = with_token(&format!("{}/1", server.device()));
    assert_eq!(second.status.code(), Some(2));
    says(&String::from_utf8_lossy(&second.stderr), &["/1", "1 device"]);
    assert!(with_token(&server.device()).status.success());
    // Somebody else's port.
    says(&refused(place, &format!("serve --listen {}", server.address)), &[&server.address]);
}

#[cfg(unix)]
#[test]
fn a_server_ends_when_it_is_asked_to() {
    let mut server = Server::start(None);
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", server.process.id())]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    server.process.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(server.process.wait().unwrap().success(), "{rest}");
}
