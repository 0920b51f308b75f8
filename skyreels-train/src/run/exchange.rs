//! Gradients of several devices become one.

use burn::tensor::Device;
use skyreels_core::device::Backend;

use crate::optimise::Gradients;
use crate::{Error, Result};

/// The sum of gradients, each with the device that it lies on; the sum is on the first one.
///
/// Different CUDA cards of this machine sum with Burn's `all_reduce`, which is NCCL's. Everywhere else (Burn 0.22's `all_reduce` panics on
/// the backends of the CPU, and does not go from one machine to another), and where a device has computed two parts, neighbours are added in pairs, then the
/// sums of neighbours, and so on: who lists devices machine by machine has one sum per machine on the network, and the sum does not
/// depend on who was ready first.
pub(super) fn sum(parts: Vec<(Device, Gradients)>) -> Result<Gradients> {
    // A gradient that only some devices have would leave these waiting for the others.
    let alike = parts.windows(2).all(|pair| pair[0].1.keys().eq(pair[1].1.keys()));
    let devices: Vec<Device> = parts.iter().map(|(device, _)| device.clone()).collect();
    if alike && have_a_collective(&devices) {
        return all_reduced(parts.into_iter().map(|(_, part)| part).collect(), &devices);
    }
    let mut parts = parts;
    while parts.len() > 1 {
        parts = added_to_neighbours(parts);
    }
    Ok(parts.pop().map(|(_, sum)| sum).unwrap_or_default())
}

/// Every second part goes to the device before it; half as many are left.
fn added_to_neighbours(parts: Vec<(Device, Gradients)>) -> Vec<(Device, Gradients)> {
    let mut sums = Vec::with_capacity(parts.len().div_ceil(2));
    let mut parts = parts.into_iter();
    while let Some((device, mut sum)) = parts.next() {
        if let Some((_, neighbour)) = parts.next() {
            sum.add(neighbour.moved(&device));
        }
        sums.push((device, sum));
    }
    sums
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
    fn gradients_without_a_collective_are_added_and_stay_on_the_first_device() {
        let device = Device::flex();
        let part = |keys: &[(&str, f32)]| {
            let tensor = |value: f32| Tensor::<1>::from_data([value, 1.0], &device);
            let by_key: BTreeMap<_, _> = keys.iter().map(|(key, value)| ((*key).to_owned(), tensor(*value))).collect();
            (device.clone(), Gradients::from_map(by_key))
        };
        assert!(!have_a_collective(&[device.clone(), device.clone()]));
        // Three: the last one has no neighbour in the first round.
        let sum = sum(vec![part(&[("a", 1.0), ("b", 2.0)]), part(&[("a", 4.0)]), part(&[("a", 7.0)])]).unwrap();
        let values = |key: &str| sum.get(key).unwrap().try_into_vec_as::<f32>().unwrap();
        assert_eq!((values("a"), values("b")), (vec![12.0, 3.0], vec![2.0, 1.0]));
        assert_eq!(sum.get("a").unwrap().device(), device);
    }
}
