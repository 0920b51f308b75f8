//! Gradients of several devices become one.

use burn::tensor::Device;
use skyreels_core::device::Backend;

use crate::optimise::Gradients;
use crate::{Error, Result};

/// The sum of gradients, each with the device that it lies on; the sum is on the first one.
///
/// Different CUDA cards sum with Burn's `all_reduce`, which is NCCL's. Everywhere else, and where a device has computed two parts, the gradients
/// go to the first device and are added in order, so that the sum does not depend on who was ready first: Burn 0.22's `all_reduce`
/// panics on the backends of the CPU.
pub(super) fn sum(parts: Vec<(Device, Gradients)>) -> Result<Gradients> {
    let (devices, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    // A gradient that only some devices have would leave these waiting for the others.
    let alike = parts.windows(2).all(|pair| pair[0].keys().eq(pair[1].keys()));
    if alike && have_a_collective(&devices) {
        return all_reduced(parts, &devices);
    }
    let mut sum = Gradients::default();
    for part in parts {
        sum.add(part.moved(&devices[0]));
    }
    Ok(sum)
}

fn have_a_collective(devices: &[Device]) -> bool {
    let different = devices.iter().enumerate().all(|(i, device)| !devices[..i].contains(device));
    devices.len() > 1 && different && devices.iter().all(Backend::has_collective)
}

/// Each device waits for the others, so each has a thread.
fn all_reduced(parts: Vec<Gradients>, devices: &[Device]) -> Result<Gradients> {
    std::thread::scope(|scope| {
        let running: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || part.all_reduced(devices))).collect();
        let failed =
            |_| Error::invalid("devices", "summing their gradients has failed: NCCL (libnccl.so.2) must be there");
        let sums = running.into_iter().map(|thread| thread.join().map_err(failed)).collect::<Result<Vec<_>>>()?;
        Ok(sums.into_iter().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::Tensor;

    use super::*;

    #[test]
    fn gradients_of_cpu_devices_are_added_and_stay_on_the_first() {
        let device = Device::flex();
        let part = |keys: &[(&str, f32)]| {
            let tensor = |value: f32| Tensor::<1>::from_data([value, 1.0], &device);
            let by_key: BTreeMap<_, _> = keys.iter().map(|(key, value)| ((*key).to_owned(), tensor(*value))).collect();
            (device.clone(), Gradients::from_map(by_key))
        };
        assert!(!have_a_collective(&[device.clone(), device.clone()]));
        let sum = sum(vec![part(&[("a", 1.0), ("b", 2.0)]), part(&[("a", 4.0)])]).unwrap();
        let values = |key: &str| sum.get(key).unwrap().try_into_vec_as::<f32>().unwrap();
        assert_eq!((values("a"), values("b")), (vec![5.0, 2.0], vec![2.0, 1.0]));
        assert_eq!(sum.get("a").unwrap().device(), device);
    }
}
