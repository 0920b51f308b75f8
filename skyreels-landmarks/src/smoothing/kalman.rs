//! constant velocity
#[derive(Debug, Clone, Copy, PartialEq)]
/// Kalman
pub struct Kalman { 
 /// accel std, face sizes / s^2
 pub process: f64,
 /// measurement std, face sizes
 pub measurement: f64 }
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KalmanFilter { x: f64, v: f64, p: [f64; 3], begun: bool }
impl KalmanFilter {
    pub(super) fn apply(&mut self, f: &Kalman, step: Option<f64>, face: f64, value: f32) -> f32 {
        let (q, r) = ((f.process * face).powi(2), (f.measurement * face).powi(2));
        let value = f64::from(value);
        let Some(dt) = step.filter(|_| self.begun) else {
            *self = Self { x: value, v: 0.0, p: [r, 0.0, q], begun: true };
            return value as f32;
        };
        let [a, b, c] = self.p;
        let x = self.x + dt * self.v;
        let p = [a + 2.0 * dt * b + dt * dt * c + q * dt.powi(4) / 4.0, b + dt * c + q * dt.powi(3) / 2.0, c + q * dt * dt];
        let s = p[0] + r;
        let (k0, k1) = (p[0] / s, p[1] / s);
        let e = value - x;
        self.x = x + k0 * e;
        self.v += k1 * e;
        self.p = [(1.0 - k0) * p[0], (1.0 - k0) * p[1], p[2] - k1 * p[1]];
        self.x as f32
    }
}
