//! Which part of a picture is looked at closely: two face widths around the face, square where it fits.

use skyreels_core::Frame;

use crate::draw::contours::MESH_POINTS;
use crate::{Error, Face, Result};

/// Box of a face in pixels; may reach outside of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceBox {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl FaceBox {
    /// The box around a face's landmarks, irises left aside.
    ///
    /// The original takes the box of another detector (SCRFD), which is licensed for research only; that one also reaches
    /// from the forehead to the chin, but differs by a few pixels, and the crop with it. The box of
    /// MediaPipe's own detector is smaller and leaves the forehead out.
    pub fn of_landmarks(face: &Face, size: [u32; 2]) -> Self {
        let empty = Self { left: f32::MAX, top: f32::MAX, right: f32::MIN, bottom: f32::MIN };
        face.landmarks.iter().take(MESH_POINTS).fold(empty, |held, [x, y, _]| {
            let (x, y) = (x * size[0] as f32, y * size[1] as f32);
            Self { left: held.left.min(x), top: held.top.min(y), right: held.right.max(x), bottom: held.bottom.max(y) }
        })
    }
}

/// A part of a picture: never empty, never outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

impl CropBox {
    /// The crop of the original for a face box in a picture of `size` = width, height.
    ///
    /// Half a face width is added on each side; the rows follow so that the crop becomes square; where the picture
    /// ends above or below, the columns give way, where it ends at a side, the crop stays narrow. Numbers are cut
    /// toward zero, and the last column is never used, as in the original.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the box is not finite, has no area, or lies outside so that nothing is left.
    pub fn around(face: &FaceBox, size: [u32; 2]) -> Result<Self> {
        // The detector's numbers are f32, and so is their difference; everything after that is f64.
        let (wide, high) = (f64::from(face.right - face.left), f64::from(face.bottom - face.top));
        if !(wide > 0.0 && high > 0.0 && wide.is_finite() && high.is_finite()) {
            return Err(Error::invalid("face box", format!("{face:?} has no area")));
        }
        let [left, top, right, bottom] = [face.left, face.top, face.right, face.bottom].map(f64::from);
        let [columns, rows] = size.map(i64::from);
        let mut x1 = 0.max((left - wide / 2.0) as i64);
        let mut x2 = (columns - 1).min((right + wide / 2.0) as i64);
        let margin = ((x2 - x1) as f64 - high) / 2.0;
        let y1 = 0.max((top - margin) as i64);
        let y2 = rows.min((bottom + margin) as i64);
        if x2 - x1 > y2 - y1 {
            let cut = (x2 - x1 - (y2 - y1)) / 2;
            x1 += cut;
            x2 -= cut;
        }
        if x2 <= x1 || y2 <= y1 {
            let reason = format!("{face:?} leaves nothing of a picture of {columns}x{rows} pixels");
            return Err(Error::invalid("face box", reason));
        }
        Ok(Self { x: x1 as u32, y: y1 as u32, width: (x2 - x1) as u32, height: (y2 - y1) as u32 })
    }

    /// The pixels of the crop.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the crop was made for a larger picture.
    pub fn cut(&self, picture: &Frame) -> Result<Frame> {
        self.check(picture)?;
        Ok(image::imageops::crop_imm(picture, self.x, self.y, self.width, self.height).to_image())
    }

    /// Puts `patch` in the place of the crop.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the patch has another size or the canvas is too small.
    pub fn paste(&self, patch: &Frame, canvas: &mut Frame) -> Result<()> {
        self.check(canvas)?;
        if patch.dimensions() != (self.width, self.height) {
            let reason = format!("a patch of {:?} pixels does not fit {self:?}", patch.dimensions());
            return Err(Error::invalid("patch", reason));
        }
        image::imageops::replace(canvas, patch, i64::from(self.x), i64::from(self.y));
        Ok(())
    }

    fn check(&self, picture: &Frame) -> Result<()> {
        let fits = |start: u32, length: u32, size: u32| start.checked_add(length).is_some_and(|end| end <= size);
        if fits(self.x, self.width, picture.width()) && fits(self.y, self.height, picture.height()) {
            return Ok(());
        }
        Err(Error::invalid("crop", format!("{self:?} does not lie in a picture of {:?} pixels", picture.dimensions())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(values: [f32; 4], size: [u32; 2]) -> Result<CropBox> {
        let [left, top, right, bottom] = values;
        CropBox::around(&FaceBox { left, top, right, bottom }, size)
    }

    #[test]
    fn a_face_with_room_gets_a_square_of_two_face_widths() {
        // 300.2 - 50 and 400.2 + 50 are cut to 250 and 450; (200 - 120) / 2 = 40 rows are added above and below.
        let crop = around([300.2, 150.7, 400.2, 270.7], [720, 480]).unwrap();
        assert_eq!(crop, CropBox { x: 250, y: 110, width: 200, height: 200 });
    }

    #[test]
    fn rows_beyond_the_picture_take_columns_with_them() {
        let crop = around([300.0, 20.0, 400.0, 140.0], [720, 480]).unwrap();
        // Rows -20..180 become 0..180, so the 200 columns lose 10 on each side.
        assert_eq!(crop, CropBox { x: 260, y: 0, width: 180, height: 180 });
    }

    #[test]
    fn columns_beyond_the_picture_leave_a_shorter_crop() {
        let crop = around([10.0, 150.0, 110.0, 250.0], [720, 480]).unwrap();
        // Columns -40..160 become 0..160, and the rows follow: 30 above and below.
        assert_eq!(crop, CropBox { x: 0, y: 120, width: 160, height: 160 });
    }

    #[test]
    fn a_tall_box_keeps_its_height_when_the_columns_are_short() {
        let crop = around([0.0, 100.0, 40.0, 400.0], [720, 480]).unwrap();
        // 60 columns for 300 rows: the rows are cut to 60 by a negative margin.
        assert_eq!(crop, CropBox { x: 0, y: 220, width: 60, height: 60 });
    }

    #[test]
    fn the_last_column_is_never_used() {
        let crop = around([680.0, 150.0, 719.0, 200.0], [720, 480]).unwrap();
        assert_eq!(crop.x + crop.width, 719);
    }

    #[test]
    fn boxes_without_area_or_outside_are_refused() {
        for bad in [
            [5.0, 5.0, 5.0, 9.0],
            [9.0, 5.0, 5.0, 9.0],
            [f32::NAN, 0.0, 1.0, 1.0],
            [0.0, 0.0, f32::INFINITY, 1.0],
            [-90.0, 5.0, -50.0, 9.0],
            [900.0, 5.0, 950.0, 9.0],
        ] {
            assert!(around(bad, [100, 100]).is_err(), "{bad:?}");
        }
        assert!(around([0.0, 0.0, 1.0, 1.0], [1, 1]).is_err());
    }

    #[test]
    fn what_was_cut_can_be_pasted_back() {
        let picture = Frame::from_fn(20, 10, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let crop = CropBox { x: 3, y: 2, width: 5, height: 8 };
        let mut canvas = Frame::new(20, 10);
        crop.paste(&crop.cut(&picture).unwrap(), &mut canvas).unwrap();
        assert_eq!(canvas.get_pixel(7, 9), picture.get_pixel(7, 9));
        assert_eq!(canvas.get_pixel(8, 9).0, [0, 0, 0]);
        assert!(crop.cut(&Frame::new(7, 10)).is_err());
        assert!(crop.paste(&Frame::new(4, 8), &mut canvas).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_crop_lies_inside_and_is_not_empty(
            corner in prop::array::uniform2(-900.0f32..1500.0),
            extent in prop::array::uniform2(0.1f32..900.0),
            size in prop::array::uniform2(1u32..1000),
        ) {
            let values = [corner[0], corner[1], corner[0] + extent[0], corner[1] + extent[1]];
            if let Ok(crop) = around(values, size) {
                prop_assert!(crop.width > 0 && crop.height > 0);
                prop_assert!(crop.x + crop.width <= size[0] && crop.y + crop.height <= size[1]);
            }
        }

        #[test]
        fn a_face_well_inside_gets_a_nearly_square_crop_that_holds_it(
            corner in prop::array::uniform2(300.0f32..500.0), wide in 20.0f32..140.0, aspect in 1.0f32..1.5,
        ) {
            let values = [corner[0], corner[1], corner[0] + wide, corner[1] + wide * aspect];
            let crop = around(values, [1000, 1000]).unwrap();
            prop_assert!(crop.width.abs_diff(crop.height) <= 1);
            prop_assert!(crop.x as f32 <= values[0] && crop.y as f32 <= values[1]);
            prop_assert!((crop.x + crop.width) as f32 + 1.0 >= values[2]);
            prop_assert!((crop.y + crop.height) as f32 + 1.0 >= values[3]);
        }
    }
}
