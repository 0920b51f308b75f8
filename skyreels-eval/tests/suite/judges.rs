//! Judges that cannot be believed.

use skyreels_core::{Frame, Progress};
use skyreels_eval::{Error, FeatureExtractor, InceptionConfig, InceptionExtractor, Judges, Result, evaluate};

use crate::support::stage::{Places, Stage, TIMES, embedder, judges};

/// An extractor that does not keep its promises.
struct Careless(&'static str, usize);

impl FeatureExtractor for Careless {
    fn name(&self) -> &str {
        self.0
    }

    fn frames(&self) -> usize {
        self.1
    }

    fn width(&self) -> usize {
        2
    }

    fn features(&self, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>> {
        Ok(match self.0 {
            "short" => vec![vec![0.0; 2]; stretches.len() - 1],
            "narrow" => vec![vec![0.0]; stretches.len()],
            _ => vec![vec![0.0, f32::NAN]; stretches.len()],
        })
    }
}

#[test]
fn judges_whose_numbers_would_be_taken_for_others_are_refused() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    let pairs = stage.directories.pairs_by_name().unwrap();
    let run = |change: &dyn Fn(&mut Judges<'static>)| {
        let mut judges = judges(vec![embedder()]);
        change(&mut judges);
        evaluate(&pairs, &judges, &stage.options(), Progress::none()).unwrap_err()
    };
    let refused = |change: &dyn Fn(&mut Judges<'static>), said: &str| {
        let error = run(change);
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(said), "{error}");
    };
    refused(&|judges| judges.identity.push(embedder()), "ArcFace");
    refused(&|judges| judges.features.push(Box::new(Places { frames: 1 })), "places");
    refused(&|judges| judges.features.push(Box::new(Careless("no word", 1))), "no word");
    refused(&|judges| judges.features.push(Box::new(Careless("empty", 0))), "no frame");
    let fid = InceptionExtractor::new(InceptionConfig::default().init(&stage.device), &stage.device);
    refused(&|judges| judges.a1_inception = Some(fid.clone()), "torchvision");
    // What an extractor gives is looked at before it is used.
    for name in ["short", "narrow", "nan"] {
        let error = run(&|judges| judges.features.push(Box::new(Careless(name, 1)))).to_string();
        assert!(error.contains(name), "{error}");
    }
    let twice = [pairs[0].clone(), pairs[0].clone()];
    let error = evaluate(&twice, &judges(vec![embedder()]), &stage.options(), Progress::none()).unwrap_err();
    assert!(error.to_string().contains("two are called"), "{error}");
}
