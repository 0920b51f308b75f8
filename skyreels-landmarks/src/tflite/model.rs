//! The graph of a `.tflite` file as its schema (`tensorflow/compiler/mlir/lite/schema/schema.fbs`) lays it out.

use super::Fault;
use super::flatbuffer::{Buffer, Table, read_i32s};

/// Mark at offset 4 of every file of schema version 3.
const IDENTIFIER: &[u8; 4] = b"TFL3";
/// Most tensors, operators or buffers of a graph; the largest face network has 726 tensors.
const MAX_NODES: usize = 16_384;
/// Most inputs or outputs of a graph or an operator.
const MAX_EDGES: usize = 16;
/// Largest rank a tensor may have here.
pub(super) const MAX_RANK: usize = 4;
/// Most elements of one tensor; the largest activation of the face networks has 262 144.
pub(super) const MAX_ELEMENTS: usize = 1 << 24;

/// Element types that occur in the face networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    F32,
    F16,
    I32,
    /// Known to the schema, not needed here.
    Other(i8),
}

impl ElementType {
    fn bytes(self) -> Option<usize> {
        match self {
            Self::F32 | Self::I32 => Some(4),
            Self::F16 => Some(2),
            Self::Other(_) => None,
        }
    }
}

/// A tensor: a shape, and its values if it is a constant.
pub(super) struct TensorInfo<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) element: ElementType,
    pub(super) data: Option<&'a [u8]>,
}

/// One node of the graph.
pub(super) struct Operator<'a> {
    /// `BuiltinOperator` of the schema.
    pub(super) code: i32,
    /// Tensor indices; `None` where an optional input is left out.
    pub(super) inputs: Vec<Option<usize>>,
    pub(super) output: usize,
    pub(super) options: Option<Table<'a>>,
}

/// The first (and only) subgraph of a file.
pub(super) struct Model<'a> {
    pub(super) tensors: Vec<TensorInfo<'a>>,
    pub(super) operators: Vec<Operator<'a>>,
    pub(super) input: usize,
    pub(super) outputs: Vec<usize>,
}

impl<'a> Model<'a> {
    /// Reads the tables of a file; appended metadata is ignored.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let buffer = Buffer::new(bytes);
        if buffer.identifier().as_ref() != Some(IDENTIFIER) {
            return Err(Fault::malformed("no `TFL3` mark at offset 4"));
        }
        let root = buffer.root()?;
        let codes = root.tables(1, MAX_NODES)?.into_iter().map(operator_code).collect::<Result<Vec<_>, _>>()?;
        let graph = match root.tables(2, MAX_NODES)?[..] {
            [graph] => graph,
            ref graphs => return Err(Fault::unsupported(format!("{} subgraphs (one is needed)", graphs.len()))),
        };
        let buffers = root.tables(4, MAX_NODES)?;

        let tensors = graph.tables(0, MAX_NODES)?;
        let tensors: Vec<_> = tensors.into_iter().map(|t| TensorInfo::read(t, &buffers)).collect::<Result<_, _>>()?;
        let operators = graph
            .tables(3, MAX_NODES)?
            .into_iter()
            .enumerate()
            .map(|(i, table)| {
                Operator::read(table, &codes, tensors.len()).map_err(|fault| fault.at(&format!("operator {i}")))
            })
            .collect::<Result<_, _>>()?;
        let input = match indices(graph, 1, tensors.len())?[..] {
            [Some(input)] => input,
            ref inputs => return Err(Fault::unsupported(format!("{} inputs (one is needed)", inputs.len()))),
        };
        let outputs = indices(graph, 2, tensors.len())?.into_iter().collect::<Option<Vec<_>>>();
        let outputs = outputs.ok_or_else(|| Fault::malformed("an output without a tensor"))?;
        Ok(Self { tensors, operators, input, outputs })
    }
}

impl<'a> TensorInfo<'a> {
    fn read(table: Table<'a>, buffers: &[Table<'a>]) -> Result<Self, Fault> {
        let shape = table.i32s(0, MAX_RANK)?.unwrap_or_default();
        let shape = shape.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| Fault::malformed("a tensor with a negative size"))?;
        let elements = element_count(&shape)?;
        let element = match table.i8(1, 0)? {
            0 => ElementType::F32,
            1 => ElementType::F16,
            2 => ElementType::I32,
            other => ElementType::Other(other),
        };
        let buffer = table.u32(2)? as usize;
        let buffer = buffers.get(buffer).ok_or_else(|| Fault::malformed(format!("there is no buffer {buffer}")))?;
        let data = Some(buffer.bytes(0)?).filter(|data| !data.is_empty());
        if let (Some(data), Some(bytes)) = (data, element.bytes())
            && data.len() != elements * bytes
        {
            return Err(Fault::malformed(format!("a constant of shape {shape:?} with {} bytes", data.len())));
        }
        Ok(Self { shape, element, data })
    }

    /// The values of a constant of 32-bit integers; those are axes and sizes, so there are few.
    pub(super) fn i32s(&self) -> Option<Vec<i32>> {
        let data = self.data.filter(|data| data.len() <= 4 * 2 * MAX_RANK);
        data.filter(|_| self.element == ElementType::I32).map(read_i32s)
    }

    /// The values of a floating-point constant.
    pub(super) fn f32s(&self) -> Option<Vec<f32>> {
        let data = self.data?;
        match self.element {
            ElementType::F32 => {
                Some(data.chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().expect("four"))).collect())
            }
            ElementType::F16 => Some(
                data.chunks_exact(2).map(|c| half::f16::from_le_bytes(c.try_into().expect("two")).to_f32()).collect(),
            ),
            ElementType::I32 | ElementType::Other(_) => None,
        }
    }
}

impl<'a> Operator<'a> {
    fn read(table: Table<'a>, codes: &[i32], tensors: usize) -> Result<Self, Fault> {
        let index = table.u32(0)? as usize;
        let code = *codes.get(index).ok_or_else(|| Fault::malformed(format!("there is no operator code {index}")))?;
        let inputs = indices(table, 1, tensors)?;
        let output = match indices(table, 2, tensors)?[..] {
            [Some(output)] => output,
            ref outputs => return Err(Fault::unsupported(format!("{} outputs (one is needed)", outputs.len()))),
        };
        Ok(Self { code, inputs, output, options: table.table(4)? })
    }
}

/// Number of elements of a shape, at most [`MAX_ELEMENTS`].
pub(super) fn element_count(shape: &[usize]) -> Result<usize, Fault> {
    shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n > 0 && n <= MAX_ELEMENTS)
        .ok_or_else(|| Fault::malformed(format!("a tensor of shape {shape:?} is empty or too large")))
}

/// The code moved from a byte to an integer field; a writer fills one or both.
fn operator_code(table: Table<'_>) -> Result<i32, Fault> {
    Ok(i32::from(table.i8(0, 0)?).max(table.i32(3, 0)?))
}

/// A vector of tensor indices, each -1 (`None`) or inside the graph.
fn indices(table: Table<'_>, field: usize, tensors: usize) -> Result<Vec<Option<usize>>, Fault> {
    let raw = table.i32s(field, MAX_EDGES)?.unwrap_or_default();
    raw.into_iter()
        .map(|i| match usize::try_from(i) {
            Ok(i) if i < tensors => Ok(Some(i)),
            Err(_) if i == -1 => Ok(None),
            _ => Err(Fault::malformed(format!("there is no tensor {i}"))),
        })
        .collect()
}
