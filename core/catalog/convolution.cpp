// Rows of convolutions, windows and bilinear forms.
#include <adjoint/core/convolution.h>

#include <sstream>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.2, seed); }

using Convolve = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvOptions&);
using ConvolveBack = Tensor (*)(const Tensor&, const Tensor&, const Tensor&,
                                const ConvTransposeOptions&);

// What references count with: each dimension for itself, what lies before and what behind.
struct Slide {
  int64_t stride, before, behind, dilation;
};

// Calls f(output position, tap, input position) of all that lie inside, for one dimension or more.
template <class F>
void each_product(const Shape& out, const Shape& kernel, const Shape& in,
                  const std::vector<Slide>& slides, F f) {
  for_each_index(out, [&](const Shape& p) {
    for_each_index(kernel, [&](const Shape& t) {
      Shape at = p;
      bool inside = true;
      for (int d = 0; d < p.rank(); ++d) {
        const Slide& s = slides[static_cast<size_t>(d)];
        at[d] = p[d] * s.stride + t[d] * s.dilation - s.before;
        inside = inside && at[d] >= 0 && at[d] < in[d];
      }
      if (inside) f(p, t, at);
    });
  });
}

Shape joined(int64_t a, int64_t b, const Shape& rest) {
  Shape shape{a, b};
  for (const int64_t size : rest) shape.push_back(size);
  return shape;
}
Shape behind_two(const Shape& shape) { return Shape(shape.span().subspan(2)); }

// With a batch of one where there is none.
Array batched(const Tensor& x, size_t rank, bool& had) {
  Array array(x);
  had = array.shape.rank() == static_cast<int>(rank) + 2;
  if (!had) array.shape.insert(0, 1);
  return array;
}

TensorFunction conv_reference(const std::vector<Slide>& slides, int64_t groups) {
  return [=](const Tensors& in) -> Tensors {
    bool had = true;
    const Array x = batched(in[0], slides.size(), had), w(in[1]);
    const Shape sizes = behind_two(x.shape), kernel = behind_two(w.shape);
    Shape out = sizes;
    for (int d = 0; d < out.rank(); ++d) {
      const Slide& s = slides[static_cast<size_t>(d)];
      out[d] = (sizes[d] + s.before + s.behind - s.dilation * (kernel[d] - 1) - 1) / s.stride + 1;
    }
    const int64_t channels = w.shape[1], results = w.shape[0] / groups;
    Array y(joined(x.shape[0], w.shape[0], out));
    for (int64_t n = 0; n < x.shape[0]; ++n) {
      for (int64_t o = 0; o < w.shape[0]; ++o) {
        for (int64_t c = 0; c < channels; ++c) {
          each_product(
              out, kernel, sizes, slides, [&](const Shape& p, const Shape& t, const Shape& at) {
                y.at(joined(n, o, p)) +=
                    w.at(joined(o, c, t)) * x.at(joined(n, o / results * channels + c, at));
              });
        }
        for_each_index(out, [&](const Shape& p) {
          if (in.size() > 2) y.at(joined(n, o, p)) += Array(in[2]).at({o});
        });
      }
    }
    if (!had) y.shape.erase(0);
    return {y.tensor()};
  };
}

TensorFunction transposed_reference(const std::vector<Slide>& slides, const Shape& extra,
                                    int64_t groups) {
  return [=](const Tensors& in) -> Tensors {
    bool had = true;
    const Array x = batched(in[0], slides.size(), had), w(in[1]);
    const Shape sizes = behind_two(x.shape), kernel = behind_two(w.shape);
    Shape out = sizes;
    for (int d = 0; d < out.rank(); ++d) {
      const Slide& s = slides[static_cast<size_t>(d)];
      out[d] =
          (sizes[d] - 1) * s.stride - 2 * s.before + s.dilation * (kernel[d] - 1) + extra[d] + 1;
    }
    const int64_t channels = x.shape[1] / groups, results = w.shape[1];
    Array y(joined(x.shape[0], results * groups, out));
    for (int64_t n = 0; n < x.shape[0]; ++n) {
      for (int64_t o = 0; o < results * groups; ++o) {
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t from = o / results * channels + c;
          each_product(sizes, kernel, out, slides,
                       [&](const Shape& p, const Shape& t, const Shape& at) {
                         y.at(joined(n, o, at)) +=
                             w.at(joined(from, o % results, t)) * x.at(joined(n, from, p));
                       });
        }
        for_each_index(out, [&](const Shape& p) {
          if (in.size() > 2) y.at(joined(n, o, p)) += Array(in[2]).at({o});
        });
      }
    }
    if (!had) y.shape.erase(0);
    return {y.tensor()};
  };
}

std::vector<Slide> slides_of(size_t rank, const Shape& stride, const Shape& padding,
                             const Shape& dilation) {
  std::vector<Slide> slides;
  const auto one = [](const Shape& s, size_t d) {
    return s.rank() == 1 ? s[0] : s[static_cast<int>(d)];
  };
  for (size_t d = 0; d < rank; ++d) {
    slides.push_back({one(stride, d), one(padding, d), one(padding, d), one(dilation, d)});
  }
  return slides;
}

// As Python writes it: 2, or (2, 1).
std::string python(const Shape& s) { return s.rank() == 1 ? std::to_string(s[0]) : to_string(s); }

std::string shapes_of(const Tensors& in) {
  std::ostringstream text;
  text << in[0].shape() << " by " << in[1].shape() << (in.size() > 2 ? " and a bias" : "");
  return text.str();
}

Sample conv_sample(Convolve f, const std::string& name, const std::vector<Slide>& slides,
                   Tensors inputs, const ConvOptions& o, const std::string& what = "") {
  std::ostringstream torch;
  torch << "F." << name << "(x[0], x[1], " << (inputs.size() > 2 ? "x[2]" : "None")
        << ", stride=" << python(o.stride) << ", padding=";
  if (o.padding.mode() != nullptr) {
    torch << "'" << o.padding.mode() << "'";
  } else {
    torch << python(o.padding.numbers());
  }
  torch << ", dilation=" << python(o.dilation) << ", groups=" << o.groups << ")";
  Sample sample{shapes_of(inputs) + torch.str().substr(torch.str().find(", stride")) + what,
                std::move(inputs),
                [f, o](const Tensors& in) -> Tensors {
                  return {f(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), o)};
                },
                conv_reference(slides, o.groups)};
  sample.torch = torch.str();
  return sample;
}

// Numbers for the inputs: x, weight, and a bias of so many where there are any.
Tensors conv_inputs(const Shape& x, const Shape& w, int64_t bias, uint64_t seed) {
  Tensors inputs{input(x, seed), input(w, seed + 1)};
  if (bias > 0) inputs.push_back(input({bias}, seed + 2));
  return inputs;
}
Tensors strided_inputs(const Shape& x, const Shape& w, uint64_t seed) {
  return {strided(input(x, seed)), strided(input(w, seed + 1))};
}

// The errors that all of them share; `ok` is a shape of x, `w` of a weight for it.
std::vector<ErrorCase> conv_errors(Convolve f, const std::string& name, const Shape& ok,
                                   const Shape& w) {
  const auto call = [=](const Shape& x, const Shape& weight, const ConvOptions& o) {
    return [=] { return f(ones(x), ones(weight), {}, o); };
  };
  Shape more = ok, wide = w;
  more[1] += 1;
  wide[wide.rank() - 1] = 100;
  return {
      error("channels that differ", call(more, w, {}),
            {name + ": ", to_string(more), to_string(w), "expected " + std::to_string(ok[1])}),
      error("groups that do not divide", call(ok, w, {.groups = 7}),
            {name + ": ", "7 groups", to_string(w)}),
      error("groups 0", call(ok, w, {.groups = 0}), {name + ": groups 0"}),
      error("stride 0", call(ok, w, {.stride = 0}), {name + ": stride (0,)", "1 or more"}),
      error("negative padding", call(ok, w, {.padding = -1}), {name + ": padding (-1,)"}),
      error("padding of another name", call(ok, w, {.padding = "full"}),
            {name + ": padding 'full'", "'same'", "'valid'"}),
      error("'same' with a stride", call(ok, w, {.stride = 2, .padding = "same"}),
            {name + ": padding 'same'", "stride"}),
      error("a kernel larger than its input", call(ok, wide, {}),
            {name + ": ", "100 elements", "padding"}),
      error("a bias of another size", [=] { return f(ones(ok), ones(w), ones({w[0] + 1}), {}); },
            {name + ": bias", std::to_string(w[0] + 1)}),
      error("integers", [=] { return f(ones(ok, DType::i64), ones(w, DType::i64), {}, {}); },
            {name + ": ", "i64", "floating"}),
      error("a weight of another rank", call(ok, {2, 3}, {}), {name + ": weight", "(2, 3)"})};
}

Row conv1d_row() {
  const auto sample = [](Tensors inputs, const ConvOptions& o, const std::string& what = "") {
    const Shape& padding = o.padding.mode() != nullptr ? Shape(0) : o.padding.numbers();
    return conv_sample(&conv1d, "conv1d", slides_of(1, o.stride, padding, o.dilation),
                       std::move(inputs), o, what);
  };
  Row row{"conv1d",
          {sample(conv_inputs({2, 3, 7}, {4, 3, 3}, 4, 1), {}),
           sample(conv_inputs({2, 4, 9}, {6, 2, 3}, 6, 4),
                  {.stride = 2, .padding = 2, .dilation = 2, .groups = 2}),
           sample(strided_inputs({2, 2, 6}, {3, 2, 2}, 7), {.padding = 1}, ", strided"),
           sample(conv_inputs({3, 8}, {2, 3, 4}, 2, 9), {.stride = 3}),
           sample(conv_inputs({0, 2, 5}, {3, 2, 3}, 3, 12), {}),
           sample(conv_inputs({2, 3, 4}, {5, 3, 1}, 5, 15), {.padding = "valid"})}};
  // Of an even kernel the last element comes at the end.
  row.samples.push_back(conv_sample(&conv1d, "conv1d", {{1, 1, 2, 1}},
                                    conv_inputs({1, 2, 6}, {2, 2, 4}, 2, 18), {.padding = "same"}));
  row.errors = conv_errors(&conv1d, "conv1d", {2, 3, 7}, {4, 3, 3});
  row.large = [=] { return sample(conv_inputs({3, 9, 2101}, {17, 9, 5}, 17, 20), {.padding = 2}); };
  row.scale = 4;
  return row;
}

Row conv2d_row() {
  const auto sample = [](Tensors inputs, const ConvOptions& o, const std::string& what = "") {
    const Shape& padding = o.padding.mode() != nullptr ? Shape(0) : o.padding.numbers();
    return conv_sample(&conv2d, "conv2d", slides_of(2, o.stride, padding, o.dilation),
                       std::move(inputs), o, what);
  };
  Row row{"conv2d",
          {sample(conv_inputs({2, 3, 5, 4}, {5, 3, 3, 2}, 5, 1), {}),
           sample(conv_inputs({1, 2, 5, 6}, {6, 2, 3, 3}, 0, 4), {.padding = 1}),
           sample(conv_inputs({2, 4, 6, 7}, {6, 2, 2, 3}, 6, 6),
                  {.stride = {2, 1}, .padding = {0, 2}, .dilation = {1, 2}, .groups = 2}),
           sample(conv_inputs({2, 4, 5, 5}, {4, 1, 3, 3}, 4, 9), {.padding = 1, .groups = 4},
                  ", depthwise"),
           sample(conv_inputs({2, 3, 5, 6}, {6, 1, 3, 3}, 0, 12),
                  {.stride = 2, .padding = 1, .groups = 3}),
           sample(strided_inputs({2, 2, 4, 4}, {5, 2, 3, 3}, 14), {.stride = 2}, ", strided"),
           sample(conv_inputs({3, 4, 5}, {2, 3, 2, 2}, 2, 16), {}),
           sample(conv_inputs({0, 2, 4, 4}, {3, 2, 3, 3}, 3, 19), {.padding = 1}),
           sample(conv_inputs({2, 4, 3, 3}, {6, 2, 1, 1}, 6, 22), {.groups = 2}),
           sample(conv_inputs({1, 2, 5, 5}, {3, 2, 1, 1}, 3, 25), {.stride = 2})}};
  row.samples.push_back(conv_sample(&conv2d, "conv2d", {{1, 1, 1, 1}, {1, 2, 2, 4}},
                                    conv_inputs({1, 2, 5, 6}, {5, 2, 3, 2}, 5, 28),
                                    {.padding = "same", .dilation = {1, 4}}));
  row.errors = conv_errors(&conv2d, "conv2d", {2, 3, 5, 7}, {4, 3, 3, 3});
  row.errors.push_back(
      error("a stride of three dimensions",
            [] {
              return conv2d(ones({1, 2, 4, 4}), ones({2, 2, 2, 2}), {}, {.stride = {1, 1, 1}});
            },
            {"conv2d: stride (1, 1, 1)", "2 dimensions"}));
  row.large = [=] {
    return sample(conv_inputs({4, 13, 37, 29}, {19, 13, 3, 3}, 19, 31), {.padding = 1});
  };
  row.scale = 4;
  return row;
}

Row conv3d_row() {
  const auto sample = [](Tensors inputs, const ConvOptions& o, const std::string& what = "") {
    return conv_sample(&conv3d, "conv3d", slides_of(3, o.stride, o.padding.numbers(), o.dilation),
                       std::move(inputs), o, what);
  };
  Row row{"conv3d",
          {sample(conv_inputs({1, 2, 3, 4, 3}, {5, 2, 2, 3, 2}, 5, 1), {.padding = 1}),
           sample(conv_inputs({2, 2, 4, 3, 5}, {2, 1, 2, 2, 2}, 2, 4),
                  {.stride = {2, 1, 2}, .padding = {1, 0, 1}, .dilation = {1, 2, 1}, .groups = 2}),
           sample(strided_inputs({1, 2, 3, 3, 3}, {3, 2, 2, 2, 2}, 7), {}, ", strided"),
           sample(conv_inputs({2, 3, 3, 4}, {2, 2, 1, 2, 2}, 0, 9), {}),
           sample(conv_inputs({0, 2, 3, 3, 3}, {2, 2, 2, 2, 2}, 2, 11), {}),
           sample(conv_inputs({1, 3, 2, 2, 2}, {2, 3, 1, 1, 1}, 2, 14), {})}};
  row.errors = conv_errors(&conv3d, "conv3d", {2, 3, 5, 5, 7}, {4, 3, 3, 3, 3});
  row.large = [=] {
    return sample(conv_inputs({2, 5, 9, 11, 13}, {7, 5, 3, 3, 3}, 7, 17), {.padding = 1});
  };
  row.scale = 4;
  return row;
}

Sample transposed_sample(ConvolveBack f, const std::string& name, size_t rank, Tensors inputs,
                         const ConvTransposeOptions& o, const std::string& what = "") {
  std::ostringstream torch;
  torch << "F." << name << "(x[0], x[1], " << (inputs.size() > 2 ? "x[2]" : "None")
        << ", stride=" << python(o.stride) << ", padding=" << python(o.padding)
        << ", output_padding=" << python(o.output_padding) << ", groups=" << o.groups
        << ", dilation=" << python(o.dilation) << ")";
  const Shape extra = o.output_padding.rank() == 1
                          ? Shape::filled(static_cast<int>(rank), o.output_padding[0])
                          : o.output_padding;
  Sample sample{
      shapes_of(inputs) + torch.str().substr(torch.str().find(", stride")) + what,
      std::move(inputs),
      [f, o](const Tensors& in) -> Tensors {
        return {f(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), o)};
      },
      transposed_reference(slides_of(rank, o.stride, o.padding, o.dilation), extra, o.groups)};
  sample.torch = torch.str();
  return sample;
}

// What makes the samples of one of them.
auto transposed_samples(ConvolveBack f, const char* name, size_t rank) {
  return [=](Tensors inputs, const ConvTransposeOptions& o, const std::string& what = "") {
    return transposed_sample(f, name, rank, std::move(inputs), o, what);
  };
}

std::vector<ErrorCase> transposed_errors(ConvolveBack f, const std::string& name, const Shape& ok,
                                         const Shape& w) {
  const auto call = [=](const Shape& x, const ConvTransposeOptions& o) {
    return [=] { return f(ones(x), ones(w), {}, o); };
  };
  Shape more = ok;
  more[1] += 1;
  return {
      error("channels that differ", call(more, {}),
            {name + ": ", to_string(more), to_string(w), "expected " + std::to_string(ok[1])}),
      error("groups that do not divide", call(ok, {.groups = 7}), {name + ": ", "7 groups"}),
      error("stride 0", call(ok, {.stride = 0}), {name + ": stride (0,)", "1 or more"}),
      error("too much output padding", call(ok, {.stride = 2, .output_padding = 2}),
            {name + ": output_padding (2,)", "stride (2,)"}),
      error("so much padding that nothing is left", call(ok, {.padding = 9}),
            {name + ": ", "padding (9,)", "1 or more"}),
      error("a bias of another size", [=] { return f(ones(ok), ones(w), ones({w[1] + 1}), {}); },
            {name + ": bias", std::to_string(w[1] + 1)}),
      error("integers", [=] { return f(ones(ok, DType::i64), ones(w, DType::i64), {}, {}); },
            {name + ": ", "i64", "floating"})};
}

Row conv_transpose1d_row() {
  const auto sample = transposed_samples(&conv_transpose1d, "conv_transpose1d", 1);
  Row row{"conv_transpose1d",
          {sample(conv_inputs({2, 3, 5}, {3, 4, 3}, 4, 1), {}),
           sample(conv_inputs({2, 4, 4}, {4, 3, 3}, 6, 4),
                  {.stride = 3, .padding = 1, .output_padding = 2, .groups = 2, .dilation = 2}),
           sample(strided_inputs({2, 2, 4}, {2, 5, 2}, 7), {.stride = 2}, ", strided"),
           sample(conv_inputs({3, 4}, {3, 2, 4}, 2, 9), {.padding = 2}),
           sample(conv_inputs({0, 2, 5}, {2, 3, 3}, 3, 12), {.stride = 2}),
           sample(conv_inputs({2, 3, 4}, {3, 5, 1}, 5, 15), {})}};
  row.errors = transposed_errors(&conv_transpose1d, "conv_transpose1d", {2, 3, 7}, {3, 4, 3});
  row.large = [=] {
    return sample(conv_inputs({3, 9, 701}, {9, 17, 5}, 17, 20), {.stride = 3, .padding = 2});
  };
  row.scale = 4;
  return row;
}

Row conv_transpose2d_row() {
  const auto sample = transposed_samples(&conv_transpose2d, "conv_transpose2d", 2);
  Row row{"conv_transpose2d",
          {sample(conv_inputs({2, 3, 3, 4}, {3, 5, 3, 2}, 5, 1), {.padding = 1}),
           sample(conv_inputs({1, 4, 3, 3}, {4, 3, 2, 3}, 6, 4), {.stride = {2, 1},
                                                                  .padding = {0, 1},
                                                                  .output_padding = {1, 0},
                                                                  .groups = 2,
                                                                  .dilation = {1, 2}}),
           sample(conv_inputs({2, 4, 3, 4}, {4, 1, 3, 3}, 4, 7),
                  {.stride = 2, .padding = 1, .output_padding = 1, .groups = 4}, ", depthwise"),
           sample(strided_inputs({2, 2, 3, 3}, {2, 5, 2, 2}, 10), {.stride = 2}, ", strided"),
           sample(conv_inputs({3, 3, 2}, {3, 2, 2, 2}, 2, 12), {}),
           sample(conv_inputs({0, 2, 4, 4}, {2, 3, 3, 3}, 3, 15), {.padding = 1}),
           sample(conv_inputs({2, 4, 3, 3}, {4, 3, 1, 1}, 6, 18), {.groups = 2}),
           sample(conv_inputs({1, 2, 3, 3}, {2, 3, 2, 2}, 3, 21),
                  {.padding = 1, .output_padding = {1, 0}, .dilation = 2}),
           sample(conv_inputs({1, 2, 3, 2}, {2, 3, 1, 2}, 3, 24), {.stride = 3})}};
  row.errors = transposed_errors(&conv_transpose2d, "conv_transpose2d", {2, 3, 5, 7}, {3, 4, 3, 3});
  row.large = [=] {
    return sample(conv_inputs({2, 19, 17, 23}, {19, 13, 3, 3}, 13, 26),
                  {.stride = 2, .padding = 1});
  };
  row.scale = 4;
  return row;
}

Row conv_transpose3d_row() {
  const auto sample = transposed_samples(&conv_transpose3d, "conv_transpose3d", 3);
  Row row{"conv_transpose3d",
          {sample(conv_inputs({1, 2, 2, 3, 2}, {2, 5, 2, 3, 2}, 5, 1), {.padding = 1}),
           sample(conv_inputs({2, 2, 2, 2, 3}, {2, 1, 2, 2, 2}, 2, 4),
                  {.stride = {2, 1, 2}, .output_padding = {1, 0, 0}, .groups = 2}),
           sample(strided_inputs({1, 2, 2, 2, 2}, {2, 3, 2, 2, 2}, 7), {}, ", strided"),
           sample(conv_inputs({2, 2, 3, 2}, {2, 2, 1, 2, 2}, 0, 9), {}),
           sample(conv_inputs({0, 2, 3, 3, 3}, {2, 2, 2, 2, 2}, 2, 11), {})}};
  row.errors =
      transposed_errors(&conv_transpose3d, "conv_transpose3d", {2, 3, 5, 5, 7}, {3, 4, 3, 3, 3});
  row.large = [=] {
    return sample(conv_inputs({2, 7, 5, 6, 7}, {7, 5, 3, 3, 3}, 5, 14), {.stride = 2});
  };
  row.scale = 4;
  return row;
}

std::string window_call(const std::string& head, const Shape& kernel, const WindowOptions& o) {
  return head + python(kernel) + ", dilation=" + python(o.dilation) +
         ", padding=" + python(o.padding) + ", stride=" + python(o.stride) + ")";
}

// Pairs an element of the input with one of the columns, for each that lies inside.
template <class F>
void each_pair(const Shape& x, const Shape& kernel, const WindowOptions& o, F f) {
  const std::vector<Slide> slides = slides_of(2, o.stride, o.padding, o.dilation);
  const Shape sizes = behind_two(x),
              taps = kernel.rank() == 2 ? kernel : Shape{kernel[0], kernel[0]};
  Shape out = sizes;
  for (int d = 0; d < 2; ++d) {
    const Slide& s = slides[static_cast<size_t>(d)];
    out[d] = (sizes[d] + 2 * s.before - s.dilation * (taps[d] - 1) - 1) / s.stride + 1;
  }
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t c = 0; c < x[1]; ++c) {
      each_product(out, taps, sizes, slides, [&](const Shape& p, const Shape& t, const Shape& at) {
        f(joined(n, c, at), Shape{n, (c * taps[0] + t[0]) * taps[1] + t[1], p[0] * out[1] + p[1]});
      });
    }
  }
}

Sample im2col_sample(const Tensor& x, const Shape& kernel, const WindowOptions& o, int64_t windows,
                     const std::string& what = "") {
  const std::string call = window_call("F.unfold(x[0], ", kernel, o);
  const int64_t taps = kernel.rank() == 2 ? kernel.numel() : kernel[0] * kernel[0];
  Sample sample{to_string(x.shape()) + call.substr(11) + what,
                {x},
                [=](const Tensors& in) -> Tensors { return {im2col(in[0], kernel, o)}; },
                [=](const Tensors& in) -> Tensors {
                  bool had = true;
                  const Array array = batched(in[0], 2, had);
                  Array y({array.shape[0], array.shape[1] * taps, windows});
                  each_pair(array.shape, kernel, o,
                            [&](const Shape& from, const Shape& to) { y.at(to) = array.at(from); });
                  if (!had) y.shape.erase(0);
                  return {y.tensor()};
                }};
  sample.torch = call;
  return sample;
}

Row im2col_row() {
  Row row{"im2col",
          {im2col_sample(input({2, 3, 4, 5}, 1), {3, 2}, {}, 8),
           im2col_sample(input({2, 2, 5, 6}, 2), {2, 3},
                         {.dilation = {2, 1}, .padding = {1, 2}, .stride = {1, 2}}, 20),
           im2col_sample(strided(input({1, 2, 4, 4}, 3)), 2, {.stride = 2}, 4, ", strided"),
           im2col_sample(input({2, 3, 3}, 4), 2, {.padding = 1}, 16),
           im2col_sample(input({0, 2, 4, 4}, 5), 2, {}, 9)}};
  row.errors = {error("a matrix",
                      [] {
                        return im2col(ones({3, 4}), 2);
                      },
                      {"im2col: ", "(3, 4)"}),
                error("a kernel that does not fit",
                      [] {
                        return im2col(ones({1, 2, 3, 3}), 4);
                      },
                      {"im2col: ", "(4, 4)", "(3, 3)"}),
                error("stride 0",
                      [] {
                        return im2col(ones({1, 2, 3, 3}), 2, {.stride = 0});
                      },
                      {"im2col: stride (0,)"}),
                error("integers",
                      [] {
                        return im2col(ones({1, 2, 3, 3}, DType::i64), 2);
                      },
                      {"im2col: ", "i64"})};
  row.large = [] { return im2col_sample(input({3, 4, 50, 41}, 6), 3, {.padding = 1}, 2050); };
  return row;
}

Sample col2im_sample(const Tensor& x, const Shape& size, const Shape& kernel,
                     const WindowOptions& o, const std::string& what = "") {
  const std::string call = window_call("F.fold(x[0], " + to_string(size) + ", ", kernel, o);
  const int64_t taps = kernel.rank() == 2 ? kernel.numel() : kernel[0] * kernel[0];
  Sample sample{to_string(x.shape()) + call.substr(9) + what,
                {x},
                [=](const Tensors& in) -> Tensors { return {col2im(in[0], size, kernel, o)}; },
                [=](const Tensors& in) -> Tensors {
                  bool had = true;
                  const Array array = batched(in[0], 1, had);
                  Array y(joined(array.shape[0], array.shape[1] / taps, size));
                  each_pair(y.shape, kernel, o, [&](const Shape& to, const Shape& from) {
                    y.at(to) += array.at(from);
                  });
                  if (!had) y.shape.erase(0);
                  return {y.tensor()};
                }};
  sample.torch = call;
  return sample;
}

Row col2im_row() {
  Row row{"col2im",
          {col2im_sample(input({2, 18, 8}, 1), {4, 5}, {3, 2}, {}),
           col2im_sample(input({2, 12, 20}, 2), {5, 6}, {2, 3},
                         {.dilation = {2, 1}, .padding = {1, 2}, .stride = {1, 2}}),
           col2im_sample(strided(input({1, 8, 4}, 3)), {4, 4}, 2, {.stride = 2}, ", strided"),
           col2im_sample(input({8, 16}, 4), {3, 3}, 2, {.padding = 1}),
           col2im_sample(input({0, 8, 9}, 5), {4, 4}, 2, {})}};
  row.errors = {error("windows of another number",
                      [] {
                        return col2im(ones({1, 8, 5}), {4, 4}, 2);
                      },
                      {"col2im: ", "5 windows", "expected 9"}),
                error("rows that are no whole kernels",
                      [] {
                        return col2im(ones({1, 7, 9}), {4, 4}, 2);
                      },
                      {"col2im: ", "(1, 7, 9)", "multiple of 4"}),
                error("integers",
                      [] {
                        return col2im(ones({1, 8, 9}, DType::i64), {4, 4}, 2);
                      },
                      {"col2im: ", "i64"}),
                error("dilation 0",
                      [] {
                        return col2im(ones({1, 8, 9}), {4, 4}, 2, {.dilation = 0});
                      },
                      {"col2im: dilation (0,)"})};
  row.large = [] { return col2im_sample(input({3, 36, 2050}, 6), {50, 41}, 3, {.padding = 1}); };
  row.scale = 4;
  return row;
}

Sample bilinear_sample(const std::string& name, Tensors inputs) {
  Sample sample{name, std::move(inputs),
                [](const Tensors& in) -> Tensors {
                  return {bilinear(in[0], in[1], in[2], in.size() > 3 ? in[3] : Tensor())};
                },
                [](const Tensors& in) -> Tensors {
                  const Array a(in[0]), b(in[1]), w(in[2]);
                  Shape shape = a.shape;
                  shape[shape.rank() - 1] = w.shape[0];
                  return {make_array(shape, [&](const Shape& index) {
                            const int64_t out = index.back();
                            double total = in.size() > 3 ? Array(in[3]).at({out}) : 0.0;
                            Shape left = index, right = index;
                            for (int64_t i = 0; i < w.shape[1]; ++i) {
                              for (int64_t j = 0; j < w.shape[2]; ++j) {
                                left[index.rank() - 1] = i;
                                right[index.rank() - 1] = j;
                                total += a.at(left) * w.at({out, i, j}) * b.at(right);
                              }
                            }
                            return total;
                          }).tensor()};
                }};
  sample.torch = sample.inputs.size() > 3 ? "F.bilinear(x[0], x[1], x[2], x[3])"
                                          : "F.bilinear(x[0], x[1], x[2])";
  return sample;
}

Row bilinear_row() {
  Row row{"bilinear",
          {bilinear_sample(
               "(2, 3, 4), (2, 3, 5) by (2, 4, 5) + (2)",
               {input({2, 3, 4}, 1), input({2, 3, 5}, 2), input({2, 4, 5}, 3), input({2}, 4)}),
           bilinear_sample("(3, 2), (3, 4) by (3, 2, 4), strided",
                           {strided(input({3, 2}, 5)), strided(input({3, 4}, 6)),
                            strided(input({3, 2, 4}, 7))}),
           bilinear_sample(
               "(0, 2), (0, 3) by (2, 2, 3) + (2)",
               {input({0, 2}, 8), input({0, 3}, 9), input({2, 2, 3}, 10), input({2}, 11)})}};
  row.errors = {error("widths that differ",
                      [] {
                        return bilinear(ones({2, 3}), ones({2, 4}), ones({5, 4, 3}));
                      },
                      {"bilinear: ", "(2, 3)", "(2, 4)", "(5, 4, 3)"}),
                error("rows that differ",
                      [] {
                        return bilinear(ones({2, 3}), ones({1, 4}), ones({5, 3, 4}));
                      },
                      {"bilinear: ", "(2, 3)", "(1, 4)", "same"}),
                error("a weight that is a matrix",
                      [] {
                        return bilinear(ones({2, 3}), ones({2, 4}), ones({3, 4}));
                      },
                      {"bilinear: weight of shape (3, 4)"}),
                error("a bias of another width",
                      [] {
                        return bilinear(ones({2, 3}), ones({2, 4}), ones({5, 3, 4}), ones({4}));
                      },
                      {"bilinear: bias of shape (4,)", "(5,)"})};
  row.large = [] {
    return bilinear_sample(
        "(131, 37), (131, 41) by (19, 37, 41) + (19)",
        {input({131, 37}, 12), input({131, 41}, 13), input({19, 37, 41}, 14), input({19}, 15)});
  };
  row.scale = 4;
  return row;
}

}  // namespace

void add_convolution(std::vector<Row>& rows) {
  rows.push_back(conv1d_row());
  rows.push_back(conv2d_row());
  rows.push_back(conv3d_row());
  rows.push_back(conv_transpose1d_row());
  rows.push_back(conv_transpose2d_row());
  rows.push_back(conv_transpose3d_row());
  rows.push_back(im2col_row());
  rows.push_back(col2im_row());
  rows.push_back(bilinear_row());
}

}  // namespace adjoint::catalog
