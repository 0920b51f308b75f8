//! A small writer of `.tflite` files, so that the reader can be tested without a published network.

/// What a table's field may hold.
#[derive(Clone)]
pub(super) enum Value {
    I8(i8),
    I32(i32),
    Table(Vec<(usize, Value)>),
    Tables(Vec<Vec<(usize, Value)>>),
    Ints(Vec<i32>),
    Bytes(Vec<u8>),
}

/// A tensor: shape, element type of the schema, values.
#[derive(Clone)]
pub(super) struct Tensor {
    pub(super) shape: Vec<i32>,
    pub(super) kind: i8,
    pub(super) data: Vec<u8>,
}

/// An operator: code, inputs, output, options.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) code: i32,
    pub(super) inputs: Vec<i32>,
    pub(super) output: i32,
    pub(super) options: Vec<(usize, Value)>,
}

impl Tensor {
    /// A value that an operator computes (or the input).
    pub(super) fn value(shape: &[i32]) -> Self {
        Self { shape: shape.to_vec(), kind: 0, data: Vec::new() }
    }

    pub(super) fn f32(shape: &[i32], values: &[f32]) -> Self {
        Self { shape: shape.to_vec(), kind: 0, data: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
    }

    pub(super) fn f16(shape: &[i32], values: &[f32]) -> Self {
        let data = values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect();
        Self { shape: shape.to_vec(), kind: 1, data }
    }

    pub(super) fn i32(values: &[i32]) -> Self {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { shape: vec![values.len() as i32], kind: 2, data }
    }
}

/// A file whose tensor 0 is the input and whose last operator computes the output.
pub(super) fn model(tensors: &[Tensor], nodes: &[Node]) -> Vec<u8> {
    let output = nodes.last().map_or(0, |node| node.output);
    let codes = nodes.iter().map(|node| vec![(3, Value::I32(node.code))]).collect();
    let buffers = tensors.iter().map(|tensor| vec![(0, Value::Bytes(tensor.data.clone()))]).collect();
    let tensors = tensors.iter().enumerate().map(|(i, tensor)| {
        vec![(0, Value::Ints(tensor.shape.clone())), (1, Value::I8(tensor.kind)), (2, Value::I32(i as i32))]
    });
    let operators = nodes.iter().enumerate().map(|(i, node)| {
        vec![
            (0, Value::I32(i as i32)),
            (1, Value::Ints(node.inputs.clone())),
            (2, Value::Ints(vec![node.output])),
            (4, Value::Table(node.options.clone())),
        ]
    });
    let graph = vec![
        (0, Value::Tables(tensors.collect())),
        (1, Value::Ints(vec![0])),
        (2, Value::Ints(vec![output])),
        (3, Value::Tables(operators.collect())),
    ];
    let root =
        [(0, Value::I32(3)), (1, Value::Tables(codes)), (2, Value::Tables(vec![graph])), (4, Value::Tables(buffers))];
    let mut bytes = vec![0; 4];
    bytes.extend(b"TFL3");
    let position = table(&mut bytes, &root);
    refer(&mut bytes, 0, position);
    bytes
}

/// Writes a table (vtable first) and returns where it is.
fn table(bytes: &mut Vec<u8>, fields: &[(usize, Value)]) -> usize {
    let slots = fields.iter().map(|(index, _)| index + 1).max().unwrap_or(0);
    let vtable = bytes.len();
    bytes.extend((4 + 2 * slots as u16).to_le_bytes());
    bytes.extend((4 + 4 * slots as u16).to_le_bytes());
    for slot in 0..slots {
        let present = fields.iter().any(|(index, _)| *index == slot);
        bytes.extend((if present { 4 + 4 * slot as u16 } else { 0 }).to_le_bytes());
    }
    let position = bytes.len();
    bytes.extend(((position - vtable) as i32).to_le_bytes());
    bytes.resize(bytes.len() + 4 * slots, 0);
    for (index, value) in fields {
        let at = position + 4 + 4 * index;
        match value {
            Value::I8(v) => bytes[at] = v.to_le_bytes()[0],
            Value::I32(v) => bytes[at..at + 4].copy_from_slice(&v.to_le_bytes()),
            Value::Table(fields) => {
                let to = table(bytes, fields);
                refer(bytes, at, to);
            }
            Value::Tables(items) => {
                let to = bytes.len();
                bytes.extend((items.len() as u32).to_le_bytes());
                bytes.resize(bytes.len() + 4 * items.len(), 0);
                for (i, fields) in items.iter().enumerate() {
                    let item = table(bytes, fields);
                    refer(bytes, to + 4 + 4 * i, item);
                }
                refer(bytes, at, to);
            }
            Value::Ints(values) => {
                let to = bytes.len();
                bytes.extend((values.len() as u32).to_le_bytes());
                bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
                refer(bytes, at, to);
            }
            Value::Bytes(values) => {
                let to = bytes.len();
                bytes.extend((values.len() as u32).to_le_bytes());
                bytes.extend(values);
                refer(bytes, at, to);
            }
        }
    }
    position
}

fn refer(bytes: &mut [u8], at: usize, to: usize) {
    bytes[at..at + 4].copy_from_slice(&((to - at) as u32).to_le_bytes());
}
