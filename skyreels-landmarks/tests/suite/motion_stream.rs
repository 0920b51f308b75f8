//! One frame at a time: the same answers as all at once, and nothing of the future.

use skyreels_landmarks::{Face, LiveMotion, MeshRetargeter, Motion, PortraitFace, Retargeter, State, synthetic};

const SIZE: [u32; 2] = [720, 480];

fn face(seed: u64) -> Face {
    synthetic::portrait(SIZE[0], SIZE[1], seed).unwrap().1
}

#[test]
fn retargeting_frame_by_frame_equals_retargeting_at_once() {
    let portrait = PortraitFace::new(&face(3), SIZE).unwrap();
    let motion = synthetic::performance(24, 12.0, 8).unwrap();
    let retargeter = MeshRetargeter::default();
    let at_once = retargeter.retarget(&portrait, &motion).unwrap();
    let mut stream = retargeter.start(&portrait, motion.proportions(), motion.rest()).unwrap();
    for (frame, expected) in motion.frames().iter().zip(at_once) {
        assert_eq!(stream.retarget_frame(frame).unwrap(), expected);
    }
}

#[test]
fn live_motion_equals_gathered_motion_as_far_as_it_can_know() {
    let faces = [None, Some(face(1)), Some(face(2)), None, None, Some(face(3)), None];
    let gathered = Motion::from_faces(faces.clone(), 25.0).unwrap().motion;
    let mut live = LiveMotion::new();
    assert!(live.proportions().is_none());
    let frames: Vec<_> = faces.iter().map(|face| live.push(face.as_ref()).unwrap()).collect();
    assert_eq!(live.proportions(), Some(gathered.proportions()));
    assert!(frames[0].is_none(), "nothing is known before the first face");
    for seen in [1, 2, 5] {
        assert_eq!(frames[seen].as_ref(), Some(&gathered.frames()[seen]));
    }
    for (gap, last) in [(3, 2), (4, 2), (6, 5)] {
        let (held, last) = (frames[gap].as_ref().unwrap(), frames[last].as_ref().unwrap());
        assert_eq!((held.state, held.rotation, &held.expression), (State::Held, last.rotation, &last.expression));
    }
}

#[test]
fn a_bad_face_spoils_only_its_own_frame() {
    let mut live = LiveMotion::new();
    let mut lost = face(1);
    lost.head_points.truncate(3);
    assert!(live.push(Some(&lost)).unwrap_err().to_string().contains("frame 0"));
    assert!(live.push(Some(&face(1))).unwrap().is_some());
    let portrait = PortraitFace::new(&face(2), SIZE).unwrap();
    let first = live.push(Some(&face(1))).unwrap().unwrap();
    let mut stream = MeshRetargeter::default().start(&portrait, live.proportions().unwrap(), &first).unwrap();
    let mut bad = first.clone();
    bad.rotation = [0.0; 4];
    assert!(stream.retarget_frame(&bad).unwrap_err().to_string().contains("frame 0"));
    assert!(stream.retarget_frame(&first).is_ok());
}
