// Convolutions of one to three dimensions and their transposes.
//
// All are one trilinear form, F(x, w, y) = sum of y[n, o, p] w[o, c, t] x[n, c, p s + t d - q]: the
// convolution is its derivative by y, the transposed one that by x, the gradient of the weight that
// by w; and the gradients of each are the two others.
#include <adjoint/core/convolution.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/precision.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <string>

#include "core/autograd/op.h"
#include "core/ops/contract.h"
#include "core/ops/convolution.h"
#include "core/ops/linalg.h"

namespace adjoint {

Shape each_dimension(const Op& op, const char* what, const Shape& given, int rank, int64_t least) {
  op.check(given.rank() == 1 || given.rank() == rank, what, " ", given, " for ", rank,
           " dimensions; expected one number, or one for each");
  const Shape all = given.rank() == rank ? given : Shape::filled(rank, given[0]);
  for (const int64_t value : all) {
    op.check(value >= least, what, " ", given, "; expected ", least, " or more");
    op.check(value <= kMostOfWindow, what, " ", given, "; expected at most ", kMostOfWindow);
  }
  return all;
}

Shape spatial(const Shape& shape, int rank) {
  return Shape(shape.span().last(static_cast<size_t>(rank)));
}

void set_dimensions(int64_t (&to)[3], const Shape& values) {
  std::copy(values.begin(), values.end(), to + 3 - values.rank());
}

kernels::ConvShape window_shape(const Op& op, const WindowSizes& sizes) {
  kernels::ConvShape s{1,         1,         1,         1,         {1, 1, 1},
                       {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
  set_dimensions(s.in, sizes.in);
  set_dimensions(s.kernel, sizes.kernel);
  set_dimensions(s.stride, sizes.stride);
  set_dimensions(s.padding, sizes.padding);
  set_dimensions(s.dilation, sizes.dilation);
  int64_t taps = 1;
  for (int d = 0; d < sizes.in.rank(); ++d) {
    const bool fits = !__builtin_mul_overflow(taps, sizes.kernel[d], &taps);
    op.check(fits && taps <= kMostOfWindow, "a kernel of size ", sizes.kernel,
             "; expected at most ", kMostOfWindow, " elements");
    const int64_t padded = sizes.in[d] + sizes.padding[d] + sizes.behind[d];
    const int64_t covered = sizes.dilation[d] * (sizes.kernel[d] - 1) + 1;
    op.check(covered <= padded, "a kernel of size ", sizes.kernel, " with dilation ",
             sizes.dilation, " covers ", covered, " elements of dimension ", d,
             ", and the input of size ", sizes.in, " has ", padded,
             " with its padding; expected a kernel that fits");
    s.out[3 - sizes.in.rank() + d] = (padded - covered) / sizes.stride[d] + 1;
  }
  return s;
}

namespace {

// Sizes, and how products are computed.
struct Geometry {
  kernels::ConvShape shape;
  Shape x, w, y;   // of the tensors
  DType computed;  // what operands are rounded to
  Precision precision = float32_matmul_precision();

  // A product of each position alone.
  bool pointwise() const {
    const auto all = [](const int64_t(&values)[3], int64_t value) {
      return values[0] == value && values[1] == value && values[2] == value;
    };
    return all(shape.kernel, 1) && all(shape.stride, 1) && all(shape.padding, 0) &&
           std::equal(shape.in, shape.in + 3, shape.out);
  }
};

// x as the kernels take it: packed, of what is computed with.
Tensor operand(const Tensor& x, DType computed) {
  return packed(rounded(rounded(x, computed), computed_in(computed)));
}

// The products (n, group, rows, positions) of pointwise convolutions as products of matrices.
Tensor as_matrices(const Tensor& x, int64_t n, int64_t groups, int64_t rows, int64_t columns) {
  const Shape shape{n, groups, rows, columns};
  return make_view(x, shape, contiguous_strides(shape), x.impl()->offset);
}

// Whether a product computed in a dtype takes x as it is.
Tensor factor(const Tensor& x, DType computed) {
  const bool taken = x.dtype() == computed || (computed == DType::bf16 && x.dtype() == DType::f32);
  return packed(taken ? x : rounded(x, computed));
}

// to = a b, summed over n where `to` has no n.
void multiply(const Geometry& g, const Tensor& to, const Tensor& a, const Tensor& b,
              bool accumulate) {
  const PrecisionGuard guard(g.precision);
  contract(to, a, b, {.accumulate = accumulate});
}

// y[n, c, ...] = bias[c]
void spread_bias(const Tensor& y, const Tensor& bias) {
  Strides strides = Strides::filled(y.dim(), 0);
  strides[1] = bias.strides()[0];
  const Tensor copies = make_view(bias, y.shape(), strides, bias.impl()->offset);
  kernel_table().elementwise.copy[index(bias.dtype())][index(y.dtype())](
      KernelScope(), make_loop<2>(y.shape(), {&y, &copies}));
}

enum class Part { out, in, weight };

// Calls the kernel that writes one of the three from the two others.
template <class T>
void run_kernel(const Geometry& g, Part part, const Tensor& x, const Tensor& w, const Tensor& y,
                const Tensor& bias) {
  const kernels::Conv<T> c{g.shape, x.impl()->data<T>(), w.impl()->data<T>(), y.impl()->data<T>(),
                           bias.defined() ? bias.impl()->data<T>() : nullptr};
  const kernels::ConvTable& table = kernel_table().conv;
  if constexpr (std::is_same_v<T, float>) {
    (part == Part::out  ? table.f32_out
     : part == Part::in ? table.f32_in
                        : table.f32_weight)(KernelScope(), c);
  } else {
    (part == Part::out  ? table.f64_out
     : part == Part::in ? table.f64_in
                        : table.f64_weight)(KernelScope(), c);
  }
}

// The one of x, w and y that is undefined, of `result`'s dtype and without history.
Tensor derive(const char* name, const Geometry& g, Part part, Tensor x, Tensor w, Tensor y,
              const Tensor& bias, DType result) {
  const DType wide = computed_in(g.computed);
  const bool pointwise = g.pointwise();
  for (Tensor* t : {&x, &w, &y}) {
    if (t->defined()) *t = pointwise ? factor(*t, g.computed) : operand(*t, g.computed);
  }
  Tensor& made = part == Part::out ? y : part == Part::in ? x : w;
  const Shape& shape = part == Part::out ? g.y : part == Part::in ? g.x : g.w;
  made = make_empty(name, shape, pointwise ? result : wide);
  if (!pointwise) {
    const Tensor b = bias.defined() ? operand(bias, g.computed) : bias;
    if (wide == DType::f64) {
      run_kernel<double>(g, part, x, w, y, b);
    } else {
      run_kernel<float>(g, part, x, w, y, b);
    }
    return rounded(made, result);
  }
  const kernels::ConvShape& s = g.shape;
  const int64_t positions = s.in[0] * s.in[1] * s.in[2];
  const Tensor xs = as_matrices(x, s.batch, s.groups, s.in_channels, positions);
  const Tensor ys = as_matrices(y, s.batch, s.groups, s.out_channels, positions);
  const Tensor ws = as_matrices(w, 1, s.groups, s.out_channels, s.in_channels);
  if (bias.defined()) spread_bias(made, bias);
  if (part == Part::out) multiply(g, ys, ws, xs, bias.defined());
  if (part == Part::in) multiply(g, xs, transposed(ws), ys, bias.defined());
  if (part == Part::weight) multiply(g, ws, ys, transposed(xs), false);
  return made;
}

// The gradient of the bias: the sum over all but the channels.
Tensor bias_gradient(const Tensor& dy) {
  Shape dims{0};
  for (int d = 2; d < dy.dim(); ++d) dims.push_back(d);
  return sum(dy, dims);
}

Tensor out_of(const Op& op, const Tensor& x, const Tensor& w, const Tensor& bias, const Geometry& g,
              DType result);
Tensor in_of(const Op& op, const Tensor& y, const Tensor& w, const Tensor& bias, const Geometry& g,
             DType result);
Tensor weight_of(const Tensor& x, const Tensor& y, const Geometry& g, DType result);

Tensor out_of(const Tensor& x, const Tensor& w, const Geometry& g, DType result) {
  const Tensor none;
  const Op op("convolution", {x, w, optional_input(none)});
  return out_of(op, x, w, none, g, result);
}
Tensor in_of(const Tensor& y, const Tensor& w, const Geometry& g, DType result) {
  const Tensor none;
  const Op op("convolution_input", {y, w, optional_input(none)});
  return in_of(op, y, w, none, g, result);
}

// y = dF/dy + bias;   dx = dF/dx, dw = dF/dw at dy
Tensor out_of(const Op& op, const Tensor& x, const Tensor& w, const Tensor& bias, const Geometry& g,
              DType result) {
  Tensor y = derive(op.name(), g, Part::out, x, w, {}, bias, result);
  return op.differentiable(y,
                           [x = op.save_if(op.needs(1), x), w = op.save_if(op.needs(0), w), g,
                            of_x = x.dtype(), of_w = w.dtype()](const Backward& b) -> Grads {
                             const Tensor& dy = b.dy(0);
                             Tensor dx, dw, db;
                             if (b.needs(0)) dx = in_of(dy, *w, g, of_x);
                             if (b.needs(1)) dw = weight_of(*x, dy, g, of_w);
                             if (b.needs(2)) db = bias_gradient(dy);
                             return {dx, dw, db};
                           });
}

// x = dF/dx + bias;   dy = dF/dy, dw = dF/dw at dx
Tensor in_of(const Op& op, const Tensor& y, const Tensor& w, const Tensor& bias, const Geometry& g,
             DType result) {
  Tensor x = derive(op.name(), g, Part::in, {}, w, y, bias, result);
  return op.differentiable(x,
                           [y = op.save_if(op.needs(1), y), w = op.save_if(op.needs(0), w), g,
                            of_y = y.dtype(), of_w = w.dtype()](const Backward& b) -> Grads {
                             const Tensor& dx = b.dy(0);
                             Tensor dy, dw, db;
                             if (b.needs(0)) dy = out_of(dx, *w, g, of_y);
                             if (b.needs(1)) dw = weight_of(dx, *y, g, of_w);
                             if (b.needs(2)) db = bias_gradient(dx);
                             return {dy, dw, db};
                           });
}

// w = dF/dw;   dx = dF/dx, dy = dF/dy at dw
Tensor weight_of(const Tensor& x, const Tensor& y, const Geometry& g, DType result) {
  const Op op("convolution_weight", {x, y});
  Tensor w = derive(op.name(), g, Part::weight, x, {}, y, {}, result);
  return op.differentiable(w,
                           [x = op.save_if(op.needs(1), x), y = op.save_if(op.needs(0), y), g,
                            of_x = x.dtype(), of_y = y.dtype()](const Backward& b) -> Grads {
                             const Tensor& dw = b.dy(0);
                             Tensor dx, dy;
                             if (b.needs(0)) dx = in_of(*y, dw, g, of_x);
                             if (b.needs(1)) dy = out_of(*x, dw, g, of_y);
                             return {dx, dy};
                           });
}

// What all check: ranks, groups and dtypes. The dtype to compute in.
DType check_operands(const Op& op, int rank, const Tensor& x, const Tensor& w, const Tensor& bias,
                     int64_t groups) {
  op.check(x.dim() == rank + 2 || x.dim() == rank + 1, "input of shape ", x.shape(), "; expected ",
           rank + 2, " dimensions, or ", rank + 1, " without a batch");
  op.check(w.dim() == rank + 2, "weight of shape ", w.shape(), "; expected ", rank + 2,
           " dimensions");
  op.check(groups > 0, "groups ", groups, "; expected 1 or more");
  for (const int64_t size : spatial(w.shape(), rank)) {
    op.check(size > 0, "weight of shape ", w.shape(), "; expected a kernel of size 1 or more");
  }
  const DType dtype = linalg::product_dtype(op, {&x, &w, &bias});
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype; cast with to()");
  return op.computes_in(dtype, Casts::product);
}

void check_bias(const Op& op, const Tensor& bias, const Tensor& w, int64_t channels) {
  op.check(!bias.defined() || bias.shape() == Shape{channels}, "bias of shape ",
           bias.defined() ? bias.shape() : Shape(), " for a weight of shape ", w.shape(),
           "; expected (", channels, ",)");
}

Shape with_channels(int64_t batch, int64_t channels, const int64_t (&sizes)[3], int rank) {
  Shape shape{batch, channels};
  for (int d = 3 - rank; d < 3; ++d) shape.push_back(sizes[d]);
  return shape;
}

Attribute padding_attribute(const ConvPadding& padding) {
  return padding.mode() != nullptr ? Attribute("padding", padding.mode())
                                   : Attribute("padding", padding.numbers());
}

// What pads before and behind.
std::pair<Shape, Shape> padding_of(const Op& op, const ConvOptions& o, const WindowSizes& sizes,
                                   int rank) {
  if (o.padding.mode() == nullptr) {
    const Shape all = each_dimension(op, "padding", o.padding.numbers(), rank, 0);
    return {all, all};
  }
  const std::string mode = o.padding.mode();
  op.check<ConfigError>(mode == "same" || mode == "valid", "padding '", mode,
                        "'; expected 'same', 'valid' or numbers");
  Shape before = Shape::filled(rank, 0), behind = before;
  for (int d = 0; mode == "same" && d < rank; ++d) {
    op.check(sizes.stride[d] == 1, "padding 'same' with stride ", o.stride, "; expected stride 1");
    const int64_t total = sizes.dilation[d] * (sizes.kernel[d] - 1);
    before[d] = total / 2;
    behind[d] = total - before[d];
  }
  return {before, behind};
}

// y = conv(x, w) + bias; see out_of
Tensor convolution(const char* name, int rank, const Tensor& x, const Tensor& w, const Tensor& bias,
                   const ConvOptions& o) {
  const Op op(name, {x, w, optional_input(bias)},
              {{"stride", o.stride},
               padding_attribute(o.padding),
               {"dilation", o.dilation},
               {"groups", o.groups}});
  const DType dtype = check_operands(op, rank, x, w, bias, o.groups);
  const Shape& ws = w.shape();
  const int64_t channels = x.shape()[x.dim() - rank - 1];
  op.check(ws[0] % o.groups == 0, "weight of shape ", ws, " for ", o.groups,
           " groups; expected a number of results that they divide");
  op.check(channels == ws[1] * o.groups, "input of shape ", x.shape(), " for a weight of shape ",
           ws, " and ", o.groups, " groups; expected ", ws[1] * o.groups, " channels");
  check_bias(op, bias, w, ws[0]);
  WindowSizes sizes{spatial(x.shape(), rank),
                    spatial(ws, rank),
                    each_dimension(op, "stride", o.stride, rank, 1),
                    {},
                    {},
                    each_dimension(op, "dilation", o.dilation, rank, 1)};
  std::tie(sizes.padding, sizes.behind) = padding_of(op, o, sizes, rank);
  Geometry g{window_shape(op, sizes), x.shape(), ws, {}, dtype};
  if (x.dim() == rank + 1) return squeeze(convolution(name, rank, unsqueeze(x, 0), w, bias, o), 0);
  g.shape.batch = x.shape()[0];
  g.shape.groups = o.groups;
  g.shape.in_channels = ws[1];
  g.shape.out_channels = ws[0] / o.groups;
  g.y = with_channels(g.shape.batch, ws[0], g.shape.out, rank);
  return out_of(op, x, w, bias, g, dtype);
}

// The sizes of the result of a transposed convolution.
Shape transposed_sizes(const Op& op, const WindowSizes& sizes, const ConvTransposeOptions& o) {
  const int rank = sizes.in.rank();
  const Shape extra = each_dimension(op, "output_padding", o.output_padding, rank, 0);
  Shape result;
  for (int d = 0; d < rank; ++d) {
    op.check(extra[d] < std::max(sizes.stride[d], sizes.dilation[d]), "output_padding ",
             o.output_padding, " with stride ", o.stride, " and dilation ", o.dilation,
             "; expected less than one of them");
    result.push_back((sizes.in[d] - 1) * sizes.stride[d] - 2 * sizes.padding[d] +
                     sizes.dilation[d] * (sizes.kernel[d] - 1) + extra[d] + 1);
    op.check(result[d] > 0, "an input of size ", sizes.in, " with a kernel of size ", sizes.kernel,
             " and padding ", o.padding, " gives size ", result[d], " in dimension ", d,
             "; expected 1 or more");
  }
  return result;
}

// y = conv^T(x, w) + bias; see in_of, where x and y change places
Tensor transposed_convolution(const char* name, int rank, const Tensor& x, const Tensor& w,
                              const Tensor& bias, const ConvTransposeOptions& o) {
  const Op op(name, {x, w, optional_input(bias)},
              {{"stride", o.stride},
               {"padding", o.padding},
               {"output_padding", o.output_padding},
               {"groups", o.groups},
               {"dilation", o.dilation}});
  const DType dtype = check_operands(op, rank, x, w, bias, o.groups);
  const Shape& ws = w.shape();
  const int64_t channels = x.shape()[x.dim() - rank - 1];
  op.check(channels == ws[0] && channels % o.groups == 0, "input of shape ", x.shape(),
           " for a weight of shape ", ws, " and ", o.groups, " groups; expected ", ws[0],
           " channels, which the groups divide");
  check_bias(op, bias, w, ws[1] * o.groups);
  const WindowSizes sizes{spatial(x.shape(), rank),
                          spatial(ws, rank),
                          each_dimension(op, "stride", o.stride, rank, 1),
                          each_dimension(op, "padding", o.padding, rank, 0),
                          {},
                          each_dimension(op, "dilation", o.dilation, rank, 1)};
  for (const int64_t size : sizes.in) {
    op.check(size > 0, "input of shape ", x.shape(), "; expected sizes of 1 or more");
  }
  const Shape result = transposed_sizes(op, sizes, o);
  if (x.dim() == rank + 1) {
    return squeeze(transposed_convolution(name, rank, unsqueeze(x, 0), w, bias, o), 0);
  }
  Geometry g{{x.shape()[0],
              o.groups,
              ws[1],
              ws[0] / o.groups,
              {1, 1, 1},
              {1, 1, 1},
              {1, 1, 1},
              {1, 1, 1},
              {0, 0, 0},
              {1, 1, 1}},
             {},
             ws,
             x.shape(),
             dtype};
  set_dimensions(g.shape.in, result);
  set_dimensions(g.shape.out, sizes.in);
  set_dimensions(g.shape.kernel, sizes.kernel);
  set_dimensions(g.shape.stride, sizes.stride);
  set_dimensions(g.shape.padding, sizes.padding);
  set_dimensions(g.shape.dilation, sizes.dilation);
  g.x = with_channels(g.shape.batch, ws[1] * o.groups, g.shape.in, rank);
  return in_of(op, x, w, bias, g, dtype);
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return convolution("conv1d", 1, x, weight, bias, options);
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return convolution("conv2d", 2, x, weight, bias, options);
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return convolution("conv3d", 3, x, weight, bias, options);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return transposed_convolution("conv_transpose1d", 1, x, weight, bias, options);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return transposed_convolution("conv_transpose2d", 2, x, weight, bias, options);
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return transposed_convolution("conv_transpose3d", 3, x, weight, bias, options);
}

}  // namespace adjoint
