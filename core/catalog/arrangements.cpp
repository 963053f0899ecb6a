// Rows of copies in another arrangement: repeated, rolled, flipped, padded.
#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/layout_rows.h"

namespace adjoint::catalog {
namespace {

// y[index] = x[index modulo x's sizes], with dimensions of size 1 before x's.
TensorFunction repeated_to(const Shape& shape) {
  return [shape](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    return {make_array(shape, [&](Shape index) {
              while (index.rank() > x.shape.rank()) index.erase(0);
              for (int d = 0; d < index.rank(); ++d) index[d] %= x.shape[d];
              return x.at(index);
            }).tensor()};
  };
}

template <class F>
Row repeats_row(const std::string& name, F function) {
  const auto f = [function](const Shape& sizes) {
    return [function, sizes](const Tensor& x) { return function(x, sizes); };
  };
  const std::string call = name == "tile" ? "torch.tile(x[0], " : "x[0].repeat(";
  Row row{name,
          {sample("(2, 3) by (2, 2)", input({2, 3}, 1), f({2, 2}), repeated_to({4, 6}),
                  call + "(2, 2))"),
           sample("(2, 3) strided by (2, 1, 3)", strided(input({2, 3}, 2)), f({2, 1, 3}),
                  repeated_to({2, 2, 9}), call + "(2, 1, 3))"),
           sample("(2, 1, 2) by (1, 3, 1)", input({2, 1, 2}, 3), f({1, 3, 1}),
                  repeated_to({2, 3, 2}), call + "(1, 3, 1))"),
           sample("(2, 3) by (1, 0)", input({2, 3}, 4), f({1, 0}), repeated_to({2, 0}),
                  call + "(1, 0))"),
           sample("(0, 2) by (3, 2)", input({0, 2}, 5), f({3, 2}), repeated_to({0, 4}),
                  call + "(3, 2))"),
           sample("() by (2)", input({}, 6), f({2}), repeated_to({2}), call + "(2,))"),
           sample("(2, 2) by (1, 1)", input({2, 2}, 7), f({1, 1}), same(), call + "(1, 1))")}};
  row.errors = {
      error("a negative number",
            [f] {
              return f({2, -1})(ones({2, 3}));
            },
            {name + ": ", "(2, -1)", "0 or more"}),
      error("more than memory can hold",
            [f] {
              return f({int64_t{1} << 40, int64_t{1} << 40})(ones({2, 3}));
            },
            {"repeat: ", "too many elements"}),
      error("an undefined tensor", [f] { return f({2})(Tensor()); }, {name + ": ", "undefined"})};
  row.large = [=] {
    return sample("(129, 257) by (5, 3)", input({129, 257}, 8), f({5, 3}), repeated_to({645, 771}));
  };
  row.bf16_gradient_roundings = 2;
  return row;
}

Row repeat_row() {
  Row row = repeats_row("repeat", [](const Tensor& x, const Shape& s) { return repeat(x, s); });
  row.errors.push_back(error("fewer numbers than dimensions",
                             [] {
                               return repeat(ones({2, 3}), 2);
                             },
                             {"repeat: ", "(2,)", "(2, 3)"}));
  return row;
}

Row tile_row() {
  const auto f = [](const Tensor& x, const Shape& s) { return tile(x, s); };
  Row row = repeats_row("tile", f);
  row.samples.push_back(sample(
      "(2, 3) by (2)", input({2, 3}, 9), [](const Tensor& x) { return tile(x, 2); },
      repeated_to({2, 6}), "torch.tile(x[0], (2,))"));
  return row;
}

// y[.., i, ..] = x[.., from[i], ..]
TensorFunction rows_of(int dim, const std::vector<int64_t>& from) {
  return [dim, from](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    Shape shape = x.shape;
    shape[dim] = static_cast<int64_t>(from.size());
    return {make_array(shape, [&](Shape index) {
              index[dim] = from[static_cast<size_t>(index[dim])];
              return x.at(index);
            }).tensor()};
  };
}

Row repeat_interleave_row() {
  const auto number = [](int64_t repeats, std::optional<int64_t> dim) {
    return [=](const Tensor& x) { return repeat_interleave(x, repeats, dim); };
  };
  const auto each = [](const Tensor& repeats, std::optional<int64_t> dim) {
    return [=](const Tensor& x) { return repeat_interleave(x, repeats, dim); };
  };
  const Tensor counts = tensor<int64_t>({2, 0, 3});
  const std::string some = "torch.tensor([2, 0, 3])";
  Row row{"repeat_interleave",
          {sample("(3), twice", input({3}, 1), number(2, {}), rows_of(0, {0, 0, 1, 1, 2, 2}),
                  "x[0].repeat_interleave(2)"),
           sample("(2, 3) strided, twice along 1", strided(input({2, 3}, 2)), number(2, -1),
                  rows_of(1, {0, 0, 1, 1, 2, 2}), "x[0].repeat_interleave(2, -1)"),
           sample("(3, 2), 2, 0 and 3 times", input({3, 2}, 3), each(counts, 0),
                  rows_of(0, {0, 0, 2, 2, 2}), "x[0].repeat_interleave(" + some + ", 0)"),
           sample("(2, 3, 2), 2, 0 and 3 times along 1", input({2, 3, 2}, 4),
                  each(counts.to(DType::i32), 1), rows_of(1, {0, 0, 2, 2, 2}),
                  "x[0].repeat_interleave(" + some + ", 1)"),
           sample("(2), once", input({2}, 5), number(1, 0), same(), "x[0].repeat_interleave(1, 0)"),
           sample("(2, 0), three times along 1", input({2, 0}, 6), number(3, 1), same(),
                  "x[0].repeat_interleave(3, 1)"),
           sample("(2), never", input({2}, 7), number(0, 0), rows_of(0, {}),
                  "x[0].repeat_interleave(0, 0)")}};
  row.errors = {
      error("a negative number", [] { return repeat_interleave(ones({3}), -1); },
            {"repeat_interleave: ", "-1"}),
      error("as many numbers as there are not",
            [counts] { return repeat_interleave(ones({2}), counts, 0); },
            {"repeat_interleave: ", "(3,)", "2 elements"}),
      error("numbers that are not whole", [] { return repeat_interleave(ones({2}), ones({2}), 0); },
            {"repeat_interleave: ", "f32", "i64 or i32"}),
      error("a negative number among them",
            [] {
              return repeat_interleave(ones({2}), tensor<int64_t>({1, -2}), 0);
            },
            {"repeat_interleave: ", "-2 repeats at 1"})};
  row.bf16_gradient_roundings = 2;
  return row;
}

Row roll_row() {
  // Of x as it is, shifts being of each dimension.
  const auto back = [](const Shape& shape, const Shape& shifts) {
    return gathered(shape, [=](Shape index) {
      for (int d = 0; d < shape.rank(); ++d) {
        index[d] = ((index[d] - shifts[d]) % shape[d] + shape[d]) % shape[d];
      }
      return index;
    });
  };
  const auto f = [](const Shape& shifts, const Shape& dims) {
    return [=](const Tensor& x) { return roll(x, shifts, dims); };
  };
  const TensorFunction flat = [](const Tensors& in) -> Tensors {
    Array x(in[0]);
    std::rotate(x.data.begin(), x.data.end() - 2, x.data.end());
    return {x.tensor()};
  };
  Row row{"roll",
          {sample("(2, 5) by 2 along 1", input({2, 5}, 1), f(2, 1), back({2, 5}, {0, 2}),
                  "x[0].roll(2, 1)"),
           sample("(3, 4) strided by -1 and 5", strided(input({3, 4}, 2)), f({-1, 5}, {0, 1}),
                  back({3, 4}, {-1, 5}), "x[0].roll((-1, 5), (0, 1))"),
           sample("(2, 3) by 2, flattened", input({2, 3}, 3), f(2, {}), flat, "x[0].roll(2)"),
           sample("(3, 2) by 1 and 1 along 0", input({3, 2}, 4), f({1, 1}, {0, 0}),
                  back({3, 2}, {2, 0}), "x[0].roll((1, 1), (0, 0))"),
           sample("(0, 2) by 1 along 0", input({0, 2}, 5), f(1, 0), same(), "x[0].roll(1, 0)"),
           sample("() by 3", input({}, 6), f(3, {}), same(), "x[0].roll(3)")}};
  row.errors = {error("more shifts than dims",
                      [f] {
                        return f({1, 2}, 0)(ones({2, 3}));
                      },
                      {"roll: ", "(1, 2)", "(0,)"}),
                error("several shifts without dims",
                      [f] {
                        return f({1, 2}, {})(ones({2, 3}));
                      },
                      {"roll: ", "(1, 2)", "()"}),
                error("a dimension that is not there",
                      [f] {
                        return f(1, 2)(ones({2, 3}));
                      },
                      {"roll: ", "2"})};
  row.large = [=] {
    return sample("(257, 1031) by 100 and -7", input({257, 1031}, 7), f({100, -7}, {0, 1}),
                  back({257, 1031}, {100, -7}));
  };
  return row;
}

Row flip_row() {
  const auto turned = [](const Shape& shape, const Shape& dims) {
    return gathered(shape, [=](Shape index) {
      for (const int64_t d : dims) {
        index[static_cast<int>(d)] = shape[static_cast<int>(d)] - 1 - index[static_cast<int>(d)];
      }
      return index;
    });
  };
  const auto f = [](const Shape& dims) { return [=](const Tensor& x) { return flip(x, dims); }; };
  Row row{"flip",
          {sample("(2, 3, 4), 0 and -1", input({2, 3, 4}, 1), f({0, -1}), turned({2, 3, 4}, {0, 2}),
                  "x[0].flip((0, -1))"),
           sample("(3, 4) strided, 1", strided(input({3, 4}, 2)), f(1), turned({3, 4}, 1),
                  "x[0].flip(1)"),
           sample("(2, 3) transposed, 0", transpose(input({3, 2}, 3), 0, 1), f(0),
                  turned({2, 3}, 0), "x[0].flip(0)"),
           sample("(0, 2), 0", input({0, 2}, 4), f(0), same(), "x[0].flip(0)"),
           sample("(3), nothing", input({3}, 5), f({}), same(), "x[0].flip(())"),
           sample("(), 0", input({}, 6), f(0), same(), "x[0].flip(0)")}};
  row.errors = {error("a dimension twice",
                      [f] {
                        return f({1, -1})(ones({2, 3}));
                      },
                      {"flip: ", "-1", "twice"}),
                error("a dimension that is not there",
                      [f] {
                        return f(2)(ones({2, 3}));
                      },
                      {"flip: ", "2"}),
                error("an undefined tensor", [f] { return f(0)(Tensor()); }, {"undefined"})};
  row.large = [=] {
    return sample("(257, 1031), 0 and 1", input({257, 1031}, 7), f({0, 1}),
                  turned({257, 1031}, {0, 1}));
  };
  return row;
}

// --- pad ---

// The index of x that stands at place i of a dimension of `size`, or -1 for the constant's. Those
// before `low` and from `high` on are cut off.
int64_t padded_from(int64_t i, int64_t size, int64_t low, int64_t high, PadMode mode) {
  if (i >= low && i < high) return i;
  switch (mode) {
    case PadMode::reflect:
      return i < 0 ? -i : 2 * (size - 1) - i;
    case PadMode::replicate:
      return i < 0 ? 0 : size - 1;
    case PadMode::circular:
      return low + ((i - low) % (high - low) + high - low) % (high - low);
    default:
      return -1;
  }
}

std::string list_of(const std::vector<int64_t>& numbers) {
  std::string text = "(";
  for (const int64_t n : numbers) text += std::to_string(n) + ", ";
  return text + ")";
}

Sample padded(const std::string& what, const Tensor& x, const std::vector<int64_t>& pads,
              PadMode mode, double value = 0) {
  constexpr const char* names[] = {"constant", "reflect", "replicate", "circular"};
  const std::string name = names[static_cast<int>(mode)];
  const TensorFunction reference = [=](const Tensors& in) -> Tensors {
    const Array a(in[0]);
    Shape shape = a.shape, before = Shape::filled(a.shape.rank(), 0), low = before, high = shape;
    for (size_t i = 0; i < pads.size(); i += 2) {
      const int d = shape.rank() - 1 - static_cast<int>(i / 2);
      shape[d] += pads[i] + pads[i + 1];
      before[d] = pads[i];
      low[d] = std::max<int64_t>(-pads[i], 0);
      high[d] = a.shape[d] - std::max<int64_t>(-pads[i + 1], 0);
    }
    return {make_array(shape, [&](Shape index) {
              for (int d = 0; d < index.rank(); ++d) {
                index[d] = padded_from(index[d] - before[d], a.shape[d], low[d], high[d], mode);
                if (index[d] < 0) return value;
              }
              return a.at(index);
            }).tensor()};
  };
  const std::string with = mode == PadMode::constant ? ", " + std::to_string(value) : "";
  return sample(
      what + " " + name + " by " + list_of(pads), x,
      [=](const Tensor& v) { return pad(v, pads, mode, value); }, reference,
      "F.pad(x[0], " + list_of(pads) + ", '" + name + "'" + with + ")");
}

Row pad_row() {
  Row row{
      "pad",
      {padded("(2, 3)", input({2, 3}, 1), {1, 2}, PadMode::constant),
       padded("(2, 3) strided", strided(input({2, 3}, 2)), {1, 0, 2, 1}, PadMode::constant, 0.5),
       padded("(2, 3, 2, 1)", input({2, 3, 2, 1}, 3), {0, 1, 1, 0, 0, 2, 1, 1}, PadMode::constant,
              -1.5),
       padded("(3, 5)", input({3, 5}, 4), {-1, 2, 1, -2}, PadMode::constant, 0.5),
       padded("(3, 4)", input({3, 4}, 5), {-1, -3}, PadMode::constant),
       padded("(0, 2)", input({0, 2}, 6), {1, 1, 2, 0}, PadMode::constant, 0.5),
       padded("()", input({}, 7), {}, PadMode::constant)}};
  for (const PadMode mode : {PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    row.samples.push_back(padded("(2, 4)", input({2, 4}, 8), {3, 2}, mode));
    row.samples.push_back(
        padded("(2, 3, 4) strided", strided(input({2, 3, 4}, 9)), {1, 2, 2, 1}, mode));
    row.samples.push_back(
        padded("(1, 2, 2, 3, 2)", input({1, 2, 2, 3, 2}, 10), {1, 1, 0, 2, 1, 0}, mode));
    row.samples.push_back(padded("(2, 5)", input({2, 5}, 11), {-1, 2}, mode));
    row.samples.push_back(padded("(0, 2, 3)", input({0, 2, 3}, 12), {1, 2}, mode));
  }
  row.errors = {error("an odd number of them",
                      [] {
                        return pad(ones({2, 3}), {1, 2, 3});
                      },
                      {"pad: ", "3 numbers", "(2, 3)"}),
                error("more than dimensions",
                      [] {
                        return pad(ones({3}), {1, 1, 1, 1});
                      },
                      {"pad: ", "4 numbers", "(3,)"}),
                error("more cut off than there is",
                      [] {
                        return pad(ones({2, 3}), {-2, -2});
                      },
                      {"pad: ", "-2 before", "(2, 3)"}),
                error("a reflection beyond the other edge",
                      [] {
                        return pad(ones({2, 3}), {3, 0}, PadMode::reflect);
                      },
                      {"pad: ", "3 elements", "reflect", "fewer than its size"}),
                error("a circle and more",
                      [] {
                        return pad(ones({2, 3}), {4, 0}, PadMode::circular);
                      },
                      {"pad: ", "4 elements", "circular", "at most its size"}),
                error("an edge that is not there",
                      [] {
                        return pad(ones({2, 0}), {1, 0}, PadMode::replicate);
                      },
                      {"pad: ", "replicate", "(2, 0)"}),
                error("a reflection of a tensor without other dimensions",
                      [] {
                        return pad(ones({3}), {1, 0}, PadMode::reflect);
                      },
                      {"pad: ", "reflect", "(3,)", "2, 4 or 6"})};
  row.large = [] {
    return padded("(5, 129, 257)", input({5, 129, 257}, 13), {3, 2, 1, 4}, PadMode::reflect);
  };
  // Backward adds in f32 and rounds once; an element has up to 4 x 3 x 2 places.
  row.bf16_gradient_roundings = 1;
  return row;
}

}  // namespace

void add_arrangements(std::vector<Row>& rows) {
  rows.push_back(repeat_row());
  rows.push_back(tile_row());
  rows.push_back(repeat_interleave_row());
  rows.push_back(roll_row());
  rows.push_back(flip_row());
  rows.push_back(pad_row());
}

}  // namespace adjoint::catalog
