#include "core/ops/packed_linear.h"

#include <adjoint/core/autograd.h>
#include <adjoint/core/inference_weights.h>

#include <algorithm>

namespace adjoint {
namespace {

kernels::Packing packing_of(WeightFormat format) {
  return format == WeightFormat::bf16 ? kernels::Packing::bf16 : kernels::Packing::int8;
}

const PackedWeight* packed_weight(const Tensor& weight) {
  const TensorImpl* impl = weight.impl();
  const PackedWeight::Key key{impl->offset,     impl->shape[0],   impl->shape[1],
                              impl->strides[0], impl->strides[1], inference_weights()};
  if (const PackedWeight* found = impl->storage->packed.find(key)) return found;
  const bool rows = impl->strides[1] == 1 || impl->shape[1] <= 1;
  const Tensor source = rows ? weight : packed(weight);
  PackedWeight* fresh = PackedWeight::create(key);
  const auto at = static_cast<size_t>(packing_of(key.format));
  const kernels::PackWeight work{
      key.out,       key.in,       source.impl()->data<float>(), source.strides()[0],
      fresh->panels, fresh->scales};
  kernel_table().skinny.pack[at](KernelScope(), work);
  return impl->storage->packed.publish(fresh);
}

// For many rows: the copy widened to f32 again, kColumns at a time, and the matrix product on it.
// Its sums are those of the few.
constexpr int64_t kColumns = 1024;
static_assert(kColumns % kernels::kPanel == 0);

void many_rows(const kernels::PackedProduct& p, kernels::Packing packing) {
  const auto& skinny = kernel_table().skinny;
  const int64_t width = std::min(kColumns, p.n);
  const Scratch scratch(static_cast<size_t>(p.k * width) * sizeof(float));
  auto* const wide = static_cast<float*>(scratch.get());
  for (int64_t j = 0; j < p.n; j += width) {
    const int64_t columns = std::min(width, p.n - j);
    skinny.unpack[static_cast<size_t>(packing)](KernelScope(),
                                                {p.k, j, columns, p.panels, wide, width});
    const float* bias = p.bias != nullptr ? p.bias + j : nullptr;
    kernels::Gemm<float> g{};
    g.m = p.m;
    g.n = columns;
    g.k = p.k;
    g.a = p.x;
    g.a_row = p.x_row;
    g.a_col = p.x_col;
    g.b = wide;
    g.b_row = width;
    g.b_col = 1;
    g.c = p.y + j;
    g.c_row = p.y_row;
    g.alpha = 1;
    g.bias = p.scales == nullptr ? bias : nullptr;
    std::fill(std::begin(g.batch), std::end(g.batch), 1);
    kernel_table().gemm.f32(KernelScope(), g);
    if (p.scales == nullptr) continue;
    skinny.scale_columns(KernelScope(), {p.m, columns, p.scales + j, bias, p.y + j, p.y_row});
  }
}

}  // namespace

bool wants_packed(const Tensor& weight) {
  return inference_weights() != WeightFormat::f32 && !grad_enabled() &&
         weight.dtype() == DType::f32;
}

void packed_linear(const Tensor& y, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const PackedWeight* w = packed_weight(weight);
  const kernels::PackedProduct product{x.size(0),
                                       w->key.out,
                                       w->key.in,
                                       x.impl()->data<float>(),
                                       x.strides()[0],
                                       x.strides()[1],
                                       w->panels,
                                       w->scales,
                                       y.impl()->data<float>(),
                                       y.strides()[0],
                                       bias.defined() ? bias.impl()->data<float>() : nullptr};
  const kernels::Packing packing = packing_of(w->key.format);
  if (product.m > kernels::kFewPackedRows) {
    many_rows(product, packing);
  } else {
    kernel_table().skinny.packed[static_cast<size_t>(packing)](KernelScope(), product);
  }
}

}  // namespace adjoint
