//! A person who can be posed and looked at.

use skyreels_core::Frame;
use skyreels_landmarks::Face as FoundFace;

use super::body::Body;
use super::expression::State;
use super::eyeball::Eyeball;
use super::face::Face;
use super::flow::Flow;
use super::folds::Folds;
use super::identity::Identity;
use super::labels::Labels;
use super::landmarks::Attachments;
use super::mesh::{Mesh, normals};
use super::mouth::Mouth;
use super::palette::Palette;
use super::scene::Scene;
use super::vector::{Rotation, V3};
use super::{ears, hair, picture};

/// How much of the head's turn and shift the chest takes part in.
const CHEST_TURN: f32 = 0.12;
const CHEST_SHIFT: f32 = 0.7;

/// A person in a scene, built once and posed many times.
#[derive(Debug, Clone)]
pub struct Person {
    pub(super) mesh: Mesh,
    pub(super) palette: Palette,
    face: Face,
    folds: Folds,
    eyeballs: [Eyeball; 2],
    mouth: Mouth,
    body: Body,
    attachments: Attachments,
}

/// A person in one state: geometry in front of the camera.
#[derive(Debug, Clone)]
pub struct Posed<'a> {
    pub(super) person: &'a Person,
    pub(super) state: State,
    /// Corners in the camera's frame.
    pub(super) places: Vec<V3>,
    pub(super) normals: Vec<V3>,
    /// How much light from all around reaches each corner.
    pub(super) open: Vec<f32>,
    /// The 478 landmarks in the head's frame.
    pub(super) landmarks: Vec<V3>,
}

/// A picture and all that is true about it.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The picture.
    pub frame: Frame,
    /// The face in it, as a perfect tracker would find it.
    pub face: FoundFace,
    /// What each pixel shows.
    pub labels: Labels,
}

impl Person {
    /// Builds a person.
    pub fn new(identity: &Identity, scene: &Scene) -> Self {
        let mut mesh = Mesh::default();
        let face = Face::build(identity, &mut mesh);
        let folds = Folds::new(&face, &mesh);
        let eyeballs = face.eyes.map(|eye| Eyeball::build(&eye, &mut mesh));
        let mouth = Mouth::build(&face, &mut mesh);
        ears::build(identity, face.skull(), &mut mesh);
        hair::build(identity, face.skull(), &mut mesh);
        let body = Body::build(identity, &scene.clothes, &mut mesh);
        let palette = Palette::new(identity, scene, &face);
        let attachments = Attachments::new(&face, &mesh, &palette.brows);
        Self { mesh, palette, face, folds, eyeballs, mouth, body, attachments }
    }

    /// The person and scene of a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self::new(&Identity::from_seed(seed), &Scene::from_seed(seed))
    }

    /// Puts the person into a state.
    pub fn pose(&self, state: &State) -> Posed<'_> {
        let mut places = self.mesh.places.clone();
        let mut open: Vec<f32> = self.mesh.corners.iter().map(|corner| corner.open).collect();
        let expression = &state.expression;
        self.face.deform(expression, &mut places);
        self.folds.press(expression, &mut open);
        for (eyeball, edge) in self.eyeballs.iter().zip(self.face.lid_edges) {
            eyeball.deform(expression, edge, &mut places, &mut open);
        }
        self.mouth.deform(expression, &mut places);
        let irises = [0, 1].map(|side| self.eyeballs[side].iris(expression));
        let landmarks = self.attachments.landmarks(&places, &irises);
        let (turn, shift) = (state.pose.turn(), state.pose.shift());
        let head = |place: V3| turn.apply(place) + shift + self.palette.standing;
        let chest_turn = Rotation::turned(state.pose.rotation.map(|angle| angle * CHEST_TURN));
        let chest = |place: V3| chest_turn.apply(place) + shift * CHEST_SHIFT + self.palette.standing;
        let (head_places, _) = places.split_at_mut(self.body.first());
        head_places.iter_mut().for_each(|place| *place = head(*place));
        self.body.deform(head, chest, &mut places);
        let mut normals = normals(&places, &self.mesh.triangles);
        for eyeball in &self.eyeballs {
            eyeball.round(head(eyeball.middle()), &places, &mut normals);
        }
        Posed { person: self, state: *state, places, normals, open, landmarks }
    }

    /// Picture, landmarks and labels of a state; `size` is width and height, each at least 1 pixel.
    pub fn render(&self, state: &State, size: [u32; 2]) -> Rendered {
        let posed = self.pose(state);
        Rendered { frame: posed.frame(size), face: posed.face(size), labels: posed.labels(size) }
    }

    /// Where each pixel of the picture of one state goes in the picture of another one.
    pub fn flow(&self, from: &State, to: &State, size: [u32; 2]) -> Flow {
        Flow::between(&self.pose(from), &self.pose(to), size)
    }
}

impl Posed<'_> {
    /// The picture; `size` is width and height, a side of 0 counts as 1.
    pub fn frame(&self, size: [u32; 2]) -> Frame {
        picture::draw(self, size.map(|side| side.max(1)))
    }

    /// Where each pixel of the picture goes in the picture of another state of the same person.
    pub fn flow(&self, to: &Posed, size: [u32; 2]) -> Flow {
        Flow::between(self, to, size)
    }

    /// What each pixel's middle shows.
    pub fn labels(&self, size: [u32; 2]) -> Labels {
        Labels::of(self, size.map(|side| side.max(1)))
    }

    /// The face as a perfect tracker would find it in a picture of this size.
    pub fn face(&self, size: [u32; 2]) -> FoundFace {
        super::landmarks::face(self, size.map(|side| side.max(1)))
    }
}
