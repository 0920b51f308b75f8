//! Normals of a mesh, for lighting it.

use nalgebra::Vector3;

/// Shorter sums of face normals are left short of unit length.
const SHORTEST: f64 = 1e-6;

/// Unit normal of each vertex: the normals of its triangles added up, each as long as twice its area.
///
/// A vertex without a triangle has a normal of length zero; triangles that name a vertex that is not there are left out.
pub fn vertex_normals(vertices: &[[f64; 3]], triangles: &[[usize; 3]]) -> Vec<[f64; 3]> {
    let mut normals = vec![Vector3::zeros(); vertices.len()];
    for triangle in triangles {
        let [Some(a), Some(b), Some(c)] = triangle.map(|i| vertices.get(i).copied().map(Vector3::from)) else {
            continue;
        };
        let normal = (b - a).cross(&(c - a));
        for vertex in triangle {
            normals[*vertex] += normal;
        }
    }
    normals.into_iter().map(|normal| (normal / normal.norm().max(SHORTEST)).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_square_has_normals_that_point_up() {
        let corners = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [9.0, 9.0, 9.0]];
        let normals = vertex_normals(&corners, &[[0, 1, 2], [0, 2, 3], [0, 1, 77]]);
        assert_eq!(normals[..4], [[0.0, 0.0, 1.0]; 4]);
        assert_eq!(normals[4], [0.0; 3]);
    }
}
