// Operators on tensors. Names, arguments and defaults are PyTorch's.
//
// Every function returns a new tensor (a view where it says so) and records itself when grad mode
// is on and an input requires grad. All are differentiable to any order unless marked "no
// gradient". Dtypes of inputs are promoted as PyTorch's: a tensor of 0 dimensions, or a number,
// does not change the dtype of one with dimensions unless it is of a higher kind (bool < whole <
// floating); among equals of that, bool < u8 < i32 < i64 < f16, bf16 < f32 < f64. Products of
// matrices take one dtype. Shapes broadcast where it says so.
// Errors name the operator, the values and what was expected: ShapeError, DTypeError, IndexError.
//
// The operators stand in the headers of their families, below; each line `Tensor name(` there has a
// row in the catalogue (core/op_catalog.h): a test compares.
#pragma once

#include <adjoint/core/activations.h>
#include <adjoint/core/aliases.h>
#include <adjoint/core/attention.h>
#include <adjoint/core/comparisons.h>
#include <adjoint/core/convolution.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/pooling.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/rearranging.h>
#include <adjoint/core/recurrent.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/scans.h>
#include <adjoint/core/sorting.h>
#include <adjoint/core/statistics.h>
#include <adjoint/core/vision.h>
