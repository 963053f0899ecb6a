// Convolutions as products of matrices that are never laid out whole: their columns are gathered a
// sliver at a time, from a padded copy of what a part of the result reads.
//
// Bits depend on shapes and the instruction set alone: sums run over blocks of channels (of
// positions, for the weight) in order, each of them a chain of fma in order.
#include "core/kernels/conv.h"

#include "core/kernels/conv_transposed.h"
#include "core/kernels/conv_weight.h"
#include "core/kernels/conv_windows.h"

namespace adjoint::kernels::ADJOINT_ISA {

extern const ConvTable ADJOINT_TABLE;
const ConvTable ADJOINT_TABLE = {
    .f32_out = conv_out<float>,
    .f32_in = conv_in<float>,
    .f32_weight = conv_weight<float>,
    .f64_out = conv_out<double>,
    .f64_in = conv_in<double>,
    .f64_weight = conv_weight<double>,
    .unfold = {unfold<uint8_t>, unfold<uint16_t>, unfold<uint32_t>, unfold<uint64_t>},
    .fold = {fold<float>, fold<double>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
