//! Embeddings and features with everything around the networks.

use skyreels_core::checkpoint::save;
use skyreels_core::{Device, Frame, Limits};
use skyreels_eval::compat::{a1_frame_indices, a1_identity, a1_identity_mean, a1_padded, curricular_face};
use skyreels_eval::{
    CurricularFaceConfig, Error, FACE_SIDE, FaceEmbedder, FeatureExtractor, IdentityNetwork, InceptionConfig,
    InceptionExtractor, InceptionVariant, cosine, identity_score,
};
use skyreels_landmarks::synthetic;

use crate::support::stage::{arcface, embedder};

/// A face of which every pixel depends on the seed.
fn face(seed: u32) -> Frame {
    Frame::from_fn(FACE_SIDE, FACE_SIDE, |x, y| {
        let value = |c: u32| ((x * (3 + seed) + y * (5 + c) + seed * 40) % 256) as u8;
        image::Rgb([value(0), value(1), value(2)])
    })
}

#[test]
fn a_file_tells_which_network_it_is_and_a_saved_network_sees_the_same() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    let arcface = arcface(&device);
    save(&arcface, directory.path(), "arcface", usize::MAX).unwrap();
    let curricular = CurricularFaceConfig.init(&device);
    save(&curricular, directory.path(), "curricular", usize::MAX).unwrap();
    let open = |name: &str| FaceEmbedder::open(directory.path().join(name), &Limits::default(), &device);
    let opened = open("arcface.safetensors").unwrap();
    assert_eq!(opened.name(), "ArcFace");
    assert_eq!(open("curricular.safetensors").unwrap().name(), "CurricularFace");
    let faces = [face(1), face(2)];
    let fresh = FaceEmbedder::new(IdentityNetwork::ArcFace(Box::new(arcface)), &device);
    assert_eq!(fresh.embed(&faces).unwrap(), opened.embed(&faces).unwrap());

    let inception = InceptionConfig::default().init(&device);
    save(&inception, directory.path(), "inception", usize::MAX).unwrap();
    let error = open("inception.safetensors").unwrap_err().to_string();
    assert!(error.contains("inception.safetensors") && error.contains("convert-face-models"), "{error}");
    assert!(open("nothing.safetensors").unwrap_err().to_string().contains("nothing.safetensors"));
}

#[test]
fn a_batch_gives_what_its_pictures_give_alone() {
    let embedder = embedder();
    let faces: Vec<Frame> = (0..18).map(face).collect();
    let together = embedder.embed(&faces).unwrap();
    assert_eq!(together.len(), 18);
    for index in [0, 15, 16, 17] {
        let alone = embedder.embed(&faces[index..=index]).unwrap();
        assert!(1.0 - cosine(&together[index], &alone[0]).unwrap() < 1e-6);
    }
    assert!(embedder.embed(&[]).unwrap().is_empty());
    assert!(matches!(embedder.embed(&[Frame::new(100, 112)]), Err(Error::Mismatch { .. })));
}

#[test]
fn features_of_pictures_of_several_sizes_come_in_order() {
    let device = Device::flex();
    let extractor = InceptionExtractor::new(InceptionConfig::default().init(&device), &device);
    let pictures = [face(1), Frame::from_pixel(40, 30, image::Rgb([9, 99, 200])), face(2)];
    let features = extractor.pictures(&pictures).unwrap();
    assert_eq!(features.len(), 3);
    assert!(features.iter().all(|feature| feature.len() == extractor.width()));
    let alone = extractor.features(&[&pictures[1..2]]).unwrap();
    assert!(1.0 - cosine(&features[1], &alone[0]).unwrap() < 1e-6);
    assert!(cosine(&features[0], &features[1]).unwrap() < 0.999_999);
    assert!(matches!(extractor.features(&[&pictures[..2]]), Err(Error::Mismatch { .. })));
    assert!(matches!(extractor.pictures(&[Frame::new(0, 0)]), Err(Error::Empty { .. })));
    let torchvision = InceptionConfig { variant: InceptionVariant::Torchvision }.init(&device);
    let other = InceptionExtractor::new(torchvision, &device);
    assert_ne!(extractor.name(), other.name(), "a number of one is never taken for the other's");
}

#[test]
fn identity_keeps_negative_angles_and_shows_the_frames_without_a_face() {
    let portrait = [1.0, 0.0];
    let frames = [Some([1.0, 0.0]), None, Some([-1.0, 0.0]), Some([0.0, 2.0])];
    let score = identity_score(&portrait, &frames).unwrap();
    assert_eq!(score.frames, [Some(1.0), None, Some(-1.0), Some(0.0)]);
    assert_eq!((score.similarity, score.detection_rate, score.similarity_over_all), (Some(0.0), 0.75, 0.0));
    assert!((a1_identity_mean(&portrait, &frames).unwrap() - 1.0 / 3.0).abs() < 1e-12, "the script cuts off at 0");
    assert_eq!(a1_identity(&portrait, &[-1.0, 0.0]).unwrap(), 0.0);

    let hidden = [Some([1.0, 0.0]), None, None, None];
    let score = identity_score(&portrait, &hidden).unwrap();
    assert_eq!((score.similarity, score.similarity_over_all), (Some(1.0), 0.25));
    assert_eq!(a1_identity_mean(&portrait, &hidden).unwrap(), 1.0, "the script hides three lost faces");
    let nobody: [Option<[f32; 2]>; 2] = [None, None];
    let score = identity_score(&portrait, &nobody).unwrap();
    assert_eq!((score.similarity, score.detection_rate), (None, 0.0));
    assert_eq!(a1_identity_mean(&portrait, &nobody).unwrap(), 0.0);
    assert!(matches!(identity_score(&portrait, &[] as &[Option<[f32; 2]>]), Err(Error::Empty { .. })));
    assert!(matches!(cosine(&portrait, &[f32::NAN, 1.0]), Err(Error::NotFinite { .. })));
    assert!(matches!(cosine(&portrait, &[0.0, 0.0]), Err(Error::NotFinite { .. })));
    assert!(matches!(cosine(&portrait, &[1.0]), Err(Error::Mismatch { .. })));
}

#[test]
fn the_released_frames_padding_and_cuts_are_as_in_the_script() {
    assert_eq!(a1_frame_indices(0), [0usize; 0]);
    assert_eq!(a1_frame_indices(1), [0; 16]);
    let indices = a1_frame_indices(49);
    assert_eq!((indices.len(), indices[0], indices[1], indices[15]), (16, 0, 3, 48));
    let (padded, shift) = a1_padded(&Frame::from_pixel(10, 7, image::Rgb([1, 2, 3]))).unwrap();
    assert_eq!((padded.dimensions(), shift), ((14, 9), [2, 1]));
    assert_eq!((padded.get_pixel(0, 0).0, padded.get_pixel(2, 1).0), ([128; 3], [1, 2, 3]));

    let (picture, portrait) = synthetic::portrait(200, 160, 3).unwrap();
    let seen = skyreels_eval::FaceObservation::of(&portrait, [200, 160]).unwrap();
    let released = curricular_face(&picture, &seen.five_points()).unwrap().unwrap();
    let direct = FaceEmbedder::face(&picture, &seen.five_points()).unwrap();
    assert_eq!(released.dimensions(), direct.dimensions());
    assert!(skyreels_eval::psnr(&released, &direct).unwrap() > 20.0, "the same face, by another way");
    assert!(FaceEmbedder::face(&picture, &[[1.0; 2]; 5]).is_none());
}
