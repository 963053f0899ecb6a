#include "core/ops/contract.h"

#include <adjoint/core/precision.h>

#include <algorithm>

namespace adjoint {
namespace {

// Dimensions of the batch, outermost first, with the strides of a, b and c; none has size 1.
struct Batch {
  struct Dim {
    int64_t size, a, b, c;
  };
  Dim dims[kMaxDims];
  int rank = 0;

  void erase(int i) {
    std::copy(dims + i + 1, dims + rank, dims + i);
    --rank;
  }
};

// The stride of a dimension counted from the end, 0 where the tensor repeats along it.
int64_t batch_stride(const Tensor& x, int from_end) {
  const int d = x.dim() - from_end;
  return d < 0 || x.shape()[d] == 1 ? 0 : x.strides()[d];
}

Batch batch_of(const Tensor& c, const Tensor& a, const Tensor& b) {
  Batch batch;
  for (int i = std::max({a.dim(), b.dim(), c.dim()}); i > 2; --i) {
    int64_t size = 1;
    for (const Tensor* x : {&a, &b, &c}) {
      if (i <= x->dim() && x->shape()[x->dim() - i] != 1) size = x->shape()[x->dim() - i];
    }
    if (size == 1) continue;
    const Batch::Dim dim{size, batch_stride(a, i), batch_stride(b, i), batch_stride(c, i)};
    Batch::Dim* last = batch.rank > 0 ? &batch.dims[batch.rank - 1] : nullptr;
    const bool merges = last != nullptr && last->a == dim.a * size && last->b == dim.b * size &&
                        last->c == dim.c * size;
    if (merges) {
      *last = {last->size * size, dim.a, dim.b, dim.c};
    } else {
      batch.dims[batch.rank++] = dim;
    }
  }
  return batch;
}

// A place among elements of `size` bytes.
struct Elements {
  char* data = nullptr;
  int64_t size = 0;

  explicit Elements(const Tensor& x)
      : data(x.defined() ? x.impl()->bytes() : nullptr),
        size(x.defined() ? static_cast<int64_t>(element_size(x.dtype())) : 0) {}
  Elements& operator+=(int64_t n) {
    data += n * size;
    return *this;
  }
  bool operator!=(std::nullptr_t) const { return data != nullptr; }
  kernels::MixedMatrix matrix(int64_t row, int64_t col) const {
    return {data, size == sizeof(bfloat16), row, col};
  }
};

// An operand that is rounded to bf16: where an optimizer's sweep has left it so, that.
Elements rounded_operand(const Tensor& x) {
  Elements elements(x);
  if (x.dtype() != DType::f32) return elements;
  Storage* storage = x.impl()->storage;
  const auto all = static_cast<int64_t>(storage->bytes / sizeof(float));
  if (const PackedWeight* copy = storage->packed.rounded(all)) {
    elements.data = static_cast<char*>(copy->panels);
    elements.size = sizeof(bfloat16);
    elements += x.impl()->offset;
  }
  return elements;
}

// A product of operands of f32 or bf16, with the members of a Gemm.
struct MixedProduct {
  int64_t m, n, k;
  Elements a, b, c, preactivation;
  int64_t a_row, a_col, b_row, b_col, c_row;
  bool accumulate;
  const float* bias;
  kernels::Activation activation;
  int64_t batch[3], a_batch[3], b_batch[3], c_batch[3];
};

// A batch with one b is one product with more rows; one that c sums over is one with a longer sum.
template <class Product>
void fold(Product& g, Batch& batch) {
  for (int i = batch.rank - 1; i >= 0; --i) {
    const Batch::Dim& dim = batch.dims[i];
    const bool rows =
        dim.b == 0 && (g.m == 1 || (dim.a == g.m * g.a_row && dim.c == g.m * g.c_row));
    const bool sum = dim.c == 0 && (g.k == 1 || (dim.a == g.k * g.a_col && dim.b == g.k * g.b_row));
    if (rows && dim.c != 0) {
      if (g.m == 1) {
        g.a_row = dim.a;
        g.c_row = dim.c;
      }
      g.m *= dim.size;
      batch.erase(i);
    } else if (sum) {
      if (g.k == 1) {
        g.a_col = dim.a;
        g.b_row = dim.b;
      }
      g.k *= dim.size;
      batch.erase(i);
    }
  }
}

// Few rows times the transposed of a matrix with contiguous rows, such as a Linear's weight, which
// is read once.
template <class T>
bool streams(const kernels::Gemm<T>& g, const Batch& batch) {
  return batch.rank == 0 && kernels::few_rows(g.m, g.k, sizeof(T)) && g.b_row == 1 &&
         g.b_col >= g.k && !g.accumulate &&
         (g.preactivation == nullptr || g.activation != kernels::Activation::none);
}

auto elementwise_kernel(kernels::Activation activation, DType dtype) {
  using kernels::Unary;
  const Unary which = activation == kernels::Activation::relu        ? Unary::relu
                      : activation == kernels::Activation::gelu_tanh ? Unary::gelu_tanh
                      : activation == kernels::Activation::gelu_erf  ? Unary::gelu_erf
                                                                     : Unary::silu;
  return kernel_table().unary.value[static_cast<int>(which)][index(dtype)];
}

// c += residual, after a product that does not take it in its epilogue.
template <class T>
void add_residual(const kernels::Gemm<T>& g) {
  const kernels::Loop<3> loop{2,
                              {g.n, g.m},
                              {g.c, g.c, const_cast<T*>(g.residual)},
                              {{1, g.c_row}, {1, g.c_row}, {1, g.c_row}},
                              {}};
  kernel_table().elementwise.binary[static_cast<int>(kernels::Binary::add)][index(dtype_of<T>)](
      KernelScope(), loop);
}

template <class T>
void stream(const kernels::Gemm<T>& g) {
  T* const sums = g.preactivation != nullptr ? g.preactivation : g.c;
  const kernels::Skinny<T> product{g.m, g.n,     g.k,  g.a,     g.a_row, g.a_col,
                                   g.b, g.b_col, sums, g.c_row, g.bias};
  if constexpr (std::is_same_v<T, float>) {
    kernel_table().skinny.f32(KernelScope(), product);
  } else {
    kernel_table().skinny.f64(KernelScope(), product);
  }
  if (g.residual != nullptr) add_residual(g);
  if (g.activation == kernels::Activation::none) return;
  const kernels::Loop<2> loop{2, {g.n, g.m}, {g.c, sums}, {{1, g.c_row}, {1, g.c_row}}, {}};
  const DType dtype = std::is_same_v<T, float> ? DType::f32 : DType::f64;
  elementwise_kernel(g.activation, dtype)(KernelScope(), loop);
}

void multiply(const kernels::Gemm<float>& g) {
  const kernels::GemmTable& table = kernel_table().gemm;
  const Precision precision = float32_matmul_precision();
  const auto product = precision == Precision::highest ? table.f32
                       : precision == Precision::high  ? table.f32_high
                                                       : table.f32_medium;
  if (precision == Precision::highest || g.residual == nullptr) {
    product(KernelScope(), g);
    return;
  }
  kernels::Gemm<float> plain = g;
  plain.residual = nullptr;
  product(KernelScope(), plain);
  add_residual(g);
}

void multiply(const kernels::Gemm<double>& g) { kernel_table().gemm.f64(KernelScope(), g); }
void multiply(const kernels::Gemm<int64_t>& g) { kernel_table().gemm.i64(KernelScope(), g); }
void multiply(const kernels::Gemm<int32_t>& g) { kernel_table().gemm.i32(KernelScope(), g); }
void multiply(const kernels::Gemm<uint8_t>& g) { kernel_table().gemm.u8(KernelScope(), g); }

void multiply(const MixedProduct& p) {
  kernels::MixedGemm g{};
  g.m = p.m;
  g.n = p.n;
  g.k = p.k;
  g.a = p.a.matrix(p.a_row, p.a_col);
  g.b = p.b.matrix(p.b_row, p.b_col);
  g.c = p.c.matrix(p.c_row, 1);
  g.alpha = 1;
  g.accumulate = p.accumulate;
  g.bias = p.bias;
  g.activation = p.activation;
  g.preactivation = p.preactivation.data;
  for (int i = 0; i < 3; ++i) {
    g.batch[i] = p.batch[i];
    g.a_batch[i] = p.a_batch[i];
    g.b_batch[i] = p.b_batch[i];
    g.c_batch[i] = p.c_batch[i];
  }
  kernel_table().gemm.mixed(KernelScope(), g);
}

// Sums over the dimensions along which c does not move, and whatever the kernel's three dimensions
// of batch do not hold, one product after the other.
template <class Product>
void run(Product g, Batch batch) {
  int outer = -1;
  for (int i = 0; i < batch.rank && outer < 0; ++i) {
    if (batch.dims[i].c == 0) outer = i;
  }
  if (outer < 0 && batch.rank > 3) outer = 0;
  if (outer >= 0) {
    const Batch::Dim dim = batch.dims[outer];
    batch.erase(outer);
    if (dim.size == 0 && dim.c == 0) {  // an empty sum
      g.k = 0;
      run(g, batch);
    }
    for (int64_t i = 0; i < dim.size; ++i) {
      run(g, batch);
      g.a += dim.a;
      g.b += dim.b;
      g.c += dim.c;
      if (g.preactivation != nullptr) g.preactivation += dim.c;
      g.accumulate = g.accumulate || dim.c == 0;
    }
    return;
  }
  if constexpr (std::is_same_v<Product, kernels::Gemm<float>> ||
                std::is_same_v<Product, kernels::Gemm<double>>) {
    if (streams(g, batch)) {
      stream(g);
      return;
    }
  }
  for (int i = 0; i < 3; ++i) {
    const bool used = i < batch.rank;
    g.batch[i] = used ? batch.dims[i].size : 1;
    g.a_batch[i] = used ? batch.dims[i].a : 0;
    g.b_batch[i] = used ? batch.dims[i].b : 0;
    g.c_batch[i] = used ? batch.dims[i].c : 0;
  }
  multiply(g);
}

template <class T>
void contract_as(const Tensor& c, const Tensor& a, const Tensor& b, const Epilogue& epilogue) {
  const int ra = a.dim(), rb = b.dim(), rc = c.dim();
  kernels::Gemm<T> g{};
  g.m = a.shape()[ra - 2];
  g.k = a.shape()[ra - 1];
  g.n = b.shape()[rb - 1];
  g.a = a.impl()->data<T>();
  g.a_row = a.strides()[ra - 2];
  g.a_col = a.strides()[ra - 1];
  g.b = b.impl()->data<T>();
  g.b_row = b.strides()[rb - 2];
  g.b_col = b.strides()[rb - 1];
  g.c = c.impl()->data<T>();
  g.c_row = c.strides()[rc - 2];
  g.alpha = 1;
  g.accumulate = epilogue.accumulate;
  g.bias = epilogue.bias.defined() ? epilogue.bias.impl()->data<T>() : nullptr;
  g.activation = epilogue.activation;
  g.preactivation =
      epilogue.preactivation.defined() ? epilogue.preactivation.impl()->data<T>() : nullptr;
  g.residual = epilogue.residual.defined() ? epilogue.residual.impl()->data<T>() : nullptr;
  Batch batch = batch_of(c, a, b);
  fold(g, batch);
  run(g, batch);
}

// c = x, of f32, in c's dtype.
void round_to(const Tensor& c, const Tensor& x) {
  kernel_table().elementwise.copy[kernels::kF32][index(c.dtype())](
      KernelScope(), make_loop<2>(c.shape(), {&c, &x}));
}

// Rounds to bf16 what is not, and c once: sums over a batch that are not one product are made in
// f32.
void contract_mixed(const Tensor& c, const Tensor& a, const Tensor& b, const Epilogue& epilogue) {
  const int ra = a.dim(), rb = b.dim(), rc = c.dim();
  const Tensor bias = epilogue.bias.defined() ? rounded(epilogue.bias, DType::f32) : epilogue.bias;
  MixedProduct g{a.shape()[ra - 2],
                 b.shape()[rb - 1],
                 a.shape()[ra - 1],
                 rounded_operand(a),
                 rounded_operand(b),
                 Elements(c),
                 Elements(epilogue.preactivation),
                 a.strides()[ra - 2],
                 a.strides()[ra - 1],
                 b.strides()[rb - 2],
                 b.strides()[rb - 1],
                 c.strides()[rc - 2],
                 epilogue.accumulate,
                 bias.defined() ? bias.impl()->data<float>() : nullptr,
                 epilogue.activation,
                 {},
                 {},
                 {},
                 {}};
  Batch batch = batch_of(c, a, b);
  fold(g, batch);
  bool sums = false;
  for (int i = 0; i < batch.rank; ++i) sums = sums || batch.dims[i].c == 0;
  if (!sums || c.dtype() == DType::f32) {
    run(g, batch);
    return;
  }
  const Tensor wide =
      epilogue.accumulate ? rounded(c, DType::f32) : make_empty("matmul", c.shape(), DType::f32);
  contract_mixed(wide, a, b, {.accumulate = epilogue.accumulate});
  round_to(c, wide);
}

// There is no product of f16: it is made in f32 and rounded once.
void contract_f16(const Tensor& c, const Tensor& a, const Tensor& b, const Epilogue& epilogue) {
  const auto wide = [](const Tensor& x) { return x.defined() ? rounded(x, DType::f32) : x; };
  const auto room = [](const Tensor& x) {
    return x.defined() ? make_empty("matmul", x.shape(), DType::f32) : x;
  };
  Epilogue e = epilogue;
  e.bias = wide(epilogue.bias);
  e.residual = wide(epilogue.residual);
  e.preactivation = room(epilogue.preactivation);
  const Tensor sums = epilogue.accumulate ? wide(c) : room(c);
  contract(sums, wide(a), wide(b), e);
  round_to(c, sums);
  if (e.preactivation.defined()) round_to(epilogue.preactivation, e.preactivation);
}

}  // namespace

void contract(const Tensor& c, const Tensor& a, const Tensor& b, const Epilogue& epilogue) {
  const auto any_is = [&](DType dtype) {
    return c.dtype() == dtype || a.dtype() == dtype || b.dtype() == dtype;
  };
  if (any_is(DType::f16)) {
    contract_f16(c, a, b, epilogue);
  } else if (any_is(DType::bf16)) {
    contract_mixed(c, a, b, epilogue);
  } else if (c.dtype() == DType::f32) {
    contract_as<float>(c, a, b, epilogue);
  } else if (c.dtype() == DType::f64) {
    contract_as<double>(c, a, b, epilogue);
  } else if (c.dtype() == DType::i64) {
    contract_as<int64_t>(c, a, b, epilogue);
  } else if (c.dtype() == DType::i32) {
    contract_as<int32_t>(c, a, b, epilogue);
  } else {
    contract_as<uint8_t>(c, a, b, epilogue);
  }
}

void activate(const Tensor& y, const Tensor& x, kernels::Activation activation) {
  elementwise_kernel(activation, x.dtype())(KernelScope(), make_loop<2>(x.shape(), {&y, &x}));
}

Tensor transposed(const Tensor& x) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  const int last = x.dim() - 1;
  std::swap(shape[last - 1], shape[last]);
  std::swap(strides[last - 1], strides[last]);
  return make_view(x, shape, strides, x.impl()->offset);
}

}  // namespace adjoint
