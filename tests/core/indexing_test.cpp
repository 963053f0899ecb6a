#include <adjoint/core/autograd.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/error.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Values = std::vector<double>;
using Numbers = std::vector<int64_t>;

Tensor counting(const Shape& shape) { return to(arange(shape.numel()), DType::f64).reshape(shape); }

// --- what a list of indices says: shapes and elements as PyTorch gives them ---

TEST(Indexing, NumbersSlicesNoneAndEllipsis) {
  const Tensor x = counting({3, 4, 5});
  EXPECT_EQ(x.index({1, 2, 3}).item(), 33);
  EXPECT_EQ(x.index({-1, -2, -3}).item(), 52);
  EXPECT_EQ(x.index({1}).shape(), Shape({4, 5}));
  EXPECT_EQ(x.index({Ellipsis, 1}).shape(), Shape({3, 4}));
  EXPECT_EQ(x.index({0, Ellipsis, 1}).to_vector<double>(), (Values{1, 6, 11, 16}));
  EXPECT_EQ(x.index({0, Ellipsis, 1, 2}).item(), 7);  // no dimension is left for it
  EXPECT_EQ(x.index({None, Ellipsis, None}).shape(), Shape({1, 3, 4, 5, 1}));
  EXPECT_EQ(x.index({Slice(None, None, 2), None, 0}).shape(), Shape({2, 1, 5}));
  EXPECT_EQ(x.index({0, 0, Slice(1, -1, 2)}).to_vector<double>(), (Values{1, 3}));
  EXPECT_EQ(x.index({0, 0, Slice(-2)}).to_vector<double>(), (Values{3, 4}));
  EXPECT_EQ(x.index({Slice(-100, 100), Slice(3, 1), Slice(-1, None)}).shape(), Shape({3, 0, 1}));
  EXPECT_EQ(x.index({0, 0, Slice(0, 5, INT64_MAX)}).to_vector<double>(), (Values{0}));
  // Views of x, and x itself.
  const Tensor row = x.index({1, 2}), all = x.index({Ellipsis}), none = x.index({});
  EXPECT_EQ(static_cast<const double*>(row.raw_data()), x.data<double>() + 30);
  EXPECT_EQ(all.impl(), x.impl());
  EXPECT_EQ(none.impl(), x.impl());
  EXPECT_EQ(scalar(5.0).index({Ellipsis, None}).shape(), Shape({1}));
}

TEST(Indexing, PlaceOfTheResultsDimensions) {
  const Tensor x = counting({3, 4, 5});
  const Tensor a = tensor<int64_t>({0, 1}), b = tensor<int64_t>({1, 2});
  EXPECT_EQ(x.index({a, Slice(), b}).shape(), Shape({2, 4}));
  EXPECT_EQ(x.index({a, Slice(), b}).to_vector<double>(), (Values{1, 6, 11, 16, 22, 27, 32, 37}));
  EXPECT_EQ(x.index({Slice(), a, b}).shape(), Shape({3, 2}));
  EXPECT_EQ(x.index({a, None, b}).shape(), Shape({2, 1, 5}));
  EXPECT_EQ(x.index({a, 0, b}).to_vector<double>(), (Values{1, 22}));
  // A number is taken first, as in PyTorch; so is a tensor without dimensions.
  EXPECT_EQ(x.index({0, Slice(), b}).to_vector<double>(), (Values{1, 2, 6, 7, 11, 12, 16, 17}));
  EXPECT_EQ(x.index({scalar(0, DType::i64), Slice(), b}).shape(), Shape({4, 2}));
  EXPECT_EQ(x.index({Slice(), unsqueeze(a, 1), b}).shape(), Shape({3, 2, 2}));
  EXPECT_EQ(x.index({Ellipsis, zeros({2, 3, 2}, DType::i32)}).shape(), Shape({3, 4, 2, 3, 2}));
  EXPECT_EQ(x.index({unsqueeze(a, 1), Ellipsis, b}).shape(), Shape({2, 2, 4}));
}

TEST(Indexing, Masks) {
  const Tensor x = counting({3, 4, 5});
  const Tensor all = ones({3, 4}, DType::boolean);
  EXPECT_EQ(x.index({all, Slice(0, 2)}).shape(), Shape({12, 2}));
  EXPECT_EQ(x.index({all, zeros({12}, DType::i64)}).to_vector<double>(),
            (Values{0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55}));
  EXPECT_EQ(x.index({Slice(), Slice(), tensor<bool>({true, false, false, true, false})}).shape(),
            Shape({3, 4, 2}));
  EXPECT_EQ(x.index({x > 57.0}).to_vector<double>(), (Values{58, 59}));
  EXPECT_EQ(x.index({x > 99.0}).shape(), Shape({0}));
  // true and false: a new dimension.
  EXPECT_EQ(x.index({true}).shape(), Shape({1, 3, 4, 5}));
  EXPECT_EQ(x.index({false}).shape(), Shape({0, 3, 4, 5}));
  EXPECT_EQ(x.index({0, true}).shape(), Shape({1, 4, 5}));
  EXPECT_EQ(x.index({full({}, true, DType::boolean)}).shape(), Shape({1, 3, 4, 5}));
  const Tensor two = tensor<int64_t>({0, 1});
  EXPECT_EQ(x.index({true, two}).shape(), Shape({2, 4, 5}));
  EXPECT_EQ(x.index({Slice(), true, two}).shape(), Shape({3, 2, 5}));
  EXPECT_EQ(x.index({false, two.index({Slice(0, 1)})}).shape(), Shape({0, 4, 5}));
  EXPECT_EQ(scalar(3.0).index({true}).to_vector<float>(), (std::vector<float>{3}));
  // Without elements.
  EXPECT_EQ(zeros({0, 3}).index({zeros({0}, DType::boolean)}).shape(), Shape({0, 3}));
  EXPECT_EQ(zeros({0, 3}).index({zeros({0}, DType::i64)}).shape(), Shape({0, 3}));
}

TEST(Indexing, EveryDtype) {
  const Tensor rows = tensor<int32_t>({2, -3});
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                            DType::u8, DType::boolean}) {
    SCOPED_TRACE(name(dtype));
    const Tensor x = arange(6).reshape({3, 2}).to(dtype);
    const auto check = [&](const Tensor& y, const Tensor& expected) {
      EXPECT_EQ(y.dtype(), dtype);
      numeric::expect_same_bits(y, expected.to(dtype));
    };
    check(x.index({rows}), tensor<int64_t>({4, 5, 0, 1}, {2, 2}));
    check(gather(x, 0, tensor<int64_t>({1, 2}, {1, 2})), tensor<int64_t>({2, 5}, {1, 2}));
    check(masked_select(x, tensor<bool>({true, false})), tensor<int64_t>({0, 2, 4}));
    check(scatter(x, 1, tensor<int64_t>({1, 0, 1}, {3, 1}), 1),
          tensor<int64_t>({0, 1, 1, 3, 4, 1}, {3, 2}));
    check(index_put(x, {tensor<int64_t>({1, 1})}, ones({2}, dtype), true),
          dtype == DType::boolean ? index_put(ones({3, 2}), {0, 0}, 0.0)
                                  : tensor<int64_t>({0, 1, 4, 5, 4, 5}, {3, 2}));
  }
}

TEST(Indexing, Errors) {
  const Tensor x = zeros({2, 3});
  const auto message = [&](std::initializer_list<Index> list) {
    return numeric::message_of<IndexError>([&] { static_cast<void>(x.index(list).shape()); });
  };
  EXPECT_EQ(message({Ellipsis, 0, Ellipsis}), "index: Ellipsis twice; expected it once");
  EXPECT_EQ(message({2}),
            "index: index 2 at dimension 0 of shape (2, 3); expected a value in [-2, 2)");
  EXPECT_EQ(message({0, tensor<int64_t>({0, 1, 3, -4}, {2, 2})}),
            "index: index 3 at (1, 0) of indices of shape (2, 2); expected values in [-3, 3), "
            "dimension 1 of shape (2, 3)");
  EXPECT_THROW(zeros({0, 3}).index({tensor<int64_t>({0})}).shape(), IndexError);
  EXPECT_THROW(x.index({zeros({2})}).shape(), DTypeError);
  EXPECT_THROW(x.index({Tensor()}).shape(), Error);
  EXPECT_THROW(Tensor().index({0}).shape(), Error);
  // A value outside among many, expanded.
  const Tensor far = index_put(zeros({100000}, DType::i64), {70001}, scalar(9, DType::i64));
  const std::string text = numeric::message_of<IndexError>([&] {
    gather(zeros({5, 100000}), 0, expand(far, {5, 100000}));
  });
  EXPECT_NE(text.find("index 9 at (0, 70001)"), std::string::npos) << text;
}

// --- writing ---

TEST(Assignment, ActsOnTheTensorItself) {
  const Tensor x = counting({3, 4});
  x.index({0}) = 0.5;
  x.index({Slice(1, None), 0}) = tensor<double>({10, 20});
  EXPECT_EQ(x.to_vector<double>(), (Values{0.5, 0.5, 0.5, 0.5, 10, 5, 6, 7, 20, 9, 10, 11}));
  x.index({x > 9.0}) = -1;
  EXPECT_EQ(x.to_vector<double>(), (Values{0.5, 0.5, 0.5, 0.5, -1, 5, 6, 7, -1, 9, -1, -1}));
  x.index({tensor<int64_t>({0, -1}), Slice(0, 2)}) = x.index({1, Slice(2)});
  EXPECT_EQ(x.to_vector<double>(), (Values{6, 7, 0.5, 0.5, -1, 5, 6, 7, 6, 7, -1, -1}));
  // Cast, and sizes of 1 in front dropped.
  x.index({tensor<bool>({true, false, false})}) = ones({1, 1, 1, 4}, DType::i64);
  x.index({1}) = full({1, 1}, 2.5, DType::f32);
  EXPECT_EQ(x.to_vector<double>(), (Values{1, 1, 1, 1, 2.5, 2.5, 2.5, 2.5, 6, 7, -1, -1}));
  x.index({Ellipsis}) = 3;
  EXPECT_EQ(x.to_vector<double>(), Values(12, 3));
  const Tensor row = counting({6});
  row.index({Slice(1)}) = row.index({Slice(0, -1)});  // overlapping
  EXPECT_EQ(row.to_vector<double>(), (Values{0, 0, 1, 2, 3, 4}));
  const Tensor order = tensor<int64_t>({2, 0, 1});
  order.index({order}) = order;  // the indices, the values and the tensor are one
  EXPECT_EQ(order.to_vector<int64_t>(), (Numbers{0, 1, 2}));
}

TEST(Assignment, OfSums) {
  const Tensor x = counting({4});
  const Tensor twice = tensor<int64_t>({1, 1, 3});
  x.index({twice}) += 1.0;  // as Python: the last one stays
  EXPECT_EQ(x.to_vector<double>(), (Values{0, 2, 2, 4}));
  x.index({Slice(0, 2)}) -= tensor<double>({1, 2});
  x.index({3}) *= 2;
  x.index({x == 2.0}) /= 4.0;
  EXPECT_EQ(x.to_vector<double>(), (Values{-1, 0, 0.5, 8}));
  x.index_put_({twice}, tensor<double>({1, 10, 100}), true);
  EXPECT_EQ(x.to_vector<double>(), (Values{-1, 11, 0.5, 108}));
  x.index_put_({twice}, 2, true);
  EXPECT_EQ(x.to_vector<double>(), (Values{-1, 15, 0.5, 110}));
}

TEST(Assignment, IsRecorded) {
  const Tensor a = counting({3, 2}).requires_grad_(), v = tensor<double>({5, 7}).requires_grad_();
  const Tensor x = a * 1.0;
  x.index({tensor<int64_t>({0, 2})}) = v;
  EXPECT_STREQ(x.grad_fn_name(), "index_put_");
  x.index({Slice(), 1}) *= 2.0;
  sum(x * x).backward();
  EXPECT_EQ(x.to_vector<double>(), (Values{5, 14, 2, 6, 5, 14}));
  EXPECT_EQ(a.grad().to_vector<double>(), (Values{0, 0, 4, 24, 0, 0}));
  EXPECT_EQ(v.grad().to_vector<double>(), (Values{20, 112}));
  const std::string text = numeric::message_of<AutogradError>([&] { a.index({a > 1.0}) = 0; });
  EXPECT_NE(text.find("index_put()"), std::string::npos) << text;
  {
    const NoGrad guard;
    a.index({a > 3.0}) = 0;
  }
  EXPECT_EQ(a.to_vector<double>(), (Values{0, 1, 2, 3, 0, 0}));
}

// Of several values for one place the last stays, and has all of the gradient.
TEST(Assignment, TheLastValueStays) {
  const Tensor place = tensor<int64_t>({1, 0, 1, 1});
  for (const int kind : {0, 1, 2}) {
    SCOPED_TRACE(kind);
    const Tensor x = zeros({3}, DType::f64).requires_grad_();
    const Tensor v = tensor<double>({1, 2, 3, 4}).requires_grad_();
    const Tensor y = kind == 0   ? index_put(x, {place}, v)
                     : kind == 1 ? scatter(x, 0, place, v)
                                 : index_copy(x, 0, place, v);
    EXPECT_EQ(y.to_vector<double>(), (Values{2, 4, 0}));
    const std::vector<Tensor> g = grad({sum(y * y)}, {x, v}, {.create_graph = true});
    EXPECT_EQ(g[0].to_vector<double>(), (Values{0, 0, 0}));
    EXPECT_EQ(g[1].to_vector<double>(), (Values{0, 4, 0, 8}));
    EXPECT_EQ(grad({sum(g[1])}, {v})[0].to_vector<double>(), (Values{0, 2, 0, 2}));
  }
}

// --- gradients ---

TEST(Indexing, ViewsAddTheirGradientsInPlace) {
  const Tensor x = counting({4, 3}).requires_grad_();
  const Tensor first = x.index({Slice(0, 2)}), second = x.index({Slice(1, None, 2), 1});
  sum(first * 2.0).backward();
  const void* buffer = x.grad().raw_data();
  sum(second * 3.0).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{2, 2, 2, 2, 5, 2, 0, 0, 0, 0, 3, 0}));
  const Tensor chosen = x.index({tensor<int64_t>({3, 3, 0})});
  sum(chosen).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{3, 3, 3, 2, 5, 2, 0, 0, 0, 2, 5, 2}));
  EXPECT_EQ(x.grad().raw_data(), buffer);
}

TEST(Indexing, HalvesAddInF32) {
  // 2^-8 a thousand times: in bf16 the sum would stand still at 1.
  const Tensor x = zeros({1}, DType::bf16);
  const Tensor many = full({1024}, 0x1p-8, DType::bf16), zero = zeros({1024}, DType::i64);
  EXPECT_EQ(index_add(x, 0, zero, many).item(), 4);
  EXPECT_EQ(scatter_add(x, 0, zero, many).item(), 4);
  EXPECT_EQ(index_put(x, {zero}, many, true).item(), 4);
  EXPECT_EQ(scatter_reduce(x, 0, zero, many, ScatterReduce::sum).item(), 4);
  const Tensor leaf = zeros({1}, DType::bf16).requires_grad_();
  sum(leaf.index({zero}) * many).backward();
  EXPECT_EQ(leaf.grad().item(), 4);
}

TEST(Scatters, BitsDoNotDependOnThreads) {
  Generator g(3);
  const Tensor flat = randint(0, 700, {200000}, g), values = randn({200000}, DType::f32, g);
  const Tensor narrow = randn({40000, 24}, DType::f32, g), some = slice(flat, 0, 0, 40000);
  const Tensor last = randint(0, 50, {6, 40000}, g), rows = randn({6, 40000}, DType::f32, g);
  const auto run = [&]() -> std::vector<Tensor> {
    const Tensor x = zeros({700}), y = zeros({700, 24}), z = zeros({6, 50});
    return {scatter_add(x, 0, flat, values),
            index_put(x, {flat}, values),
            index_add(y, 0, some, narrow),
            index_copy(y, 0, some, narrow),
            scatter_add(z, 1, last, rows),
            scatter_reduce(z, 1, last, rows, ScatterReduce::amax),
            scatter_reduce(z, 1, last, rows, ScatterReduce::prod),
            masked_select(rows, rows > 0.0),
            nonzero(values > 1.0)};
  };
  numeric::expect_same_on_threads(run);
  // In the order of the indices, one after the other.
  std::vector<float> expected(700), written(700);
  const auto i = flat.to_vector<int64_t>();
  const auto v = values.to_vector<float>();
  for (size_t k = 0; k < i.size(); ++k) {
    expected[static_cast<size_t>(i[k])] += v[k];
    written[static_cast<size_t>(i[k])] = v[k];
  }
  EXPECT_EQ(run()[0].to_vector<float>(), expected);
  EXPECT_EQ(run()[1].to_vector<float>(), written);
}

// Whatever lies along the indices, and wherever they run: bit for bit one sum after the other.
TEST(Scatters, AddInTheOrderOfTheIndices) {
  Generator g(5);
  const Shape shape{6, 19, 40};
  const Tensor x = randn(shape, DType::f32, g);
  for (int d = 0; d < 3; ++d) {
    Shape from = shape;
    from[d] = 600;
    const Tensor index = randint(0, shape[d], {600}, g), source = randn(from, DType::f32, g);
    const auto i = index.to_vector<int64_t>();
    const auto values = source.to_vector<float>();
    std::vector<float> expected = x.to_vector<float>();
    const Strides strides = contiguous_strides(shape), steps = contiguous_strides(from);
    for (int64_t k = 0; k < source.numel(); ++k) {
      int64_t at = 0;
      for (int e = 0; e < 3; ++e) {
        const int64_t c = k / steps[e] % from[e];
        at += (e == d ? i[static_cast<size_t>(c)] : c) * strides[e];
      }
      expected[static_cast<size_t>(at)] += values[static_cast<size_t>(k)];
    }
    SCOPED_TRACE(d);
    EXPECT_EQ(index_add(x, d, index, source).to_vector<float>(), expected);
    const Tensor each = contiguous(expand(reshape(index, d == 0   ? Shape{600, 1, 1}
                                                         : d == 1 ? Shape{600, 1}
                                                                  : Shape{600}),
                                          from));
    EXPECT_EQ(scatter_add(x, d, each, source).to_vector<float>(), expected);
    const Tensor apart = transpose(transpose(source, 0, 2).contiguous(), 0, 2);
    EXPECT_EQ(index_add(x, d, index, apart).to_vector<float>(), expected);
  }
  // Indices of two dimensions with one between them, and a number for all.
  const Tensor i = randint(0, 6, {500}, g), k = randint(0, 40, {500}, g);
  const Tensor counts = index_put(zeros(shape), {i, Slice(), k}, scalar(1.0F), true);
  EXPECT_EQ(sum(counts).item(), 500 * 19);
  EXPECT_EQ(counts.to_vector<float>(),
            index_put(zeros(shape), {i, Slice(), k}, ones({500, 19}), true).to_vector<float>());
}

TEST(ScatterReduce, TiesNaNAndWholeNumbers) {
  const Tensor x = tensor<double>({1, 2, 3}).requires_grad_();
  const Tensor src = tensor<double>({2, 5, 5, 3}).requires_grad_();
  const Tensor place = tensor<int64_t>({1, 0, 0, 2});
  sum(scatter_reduce(x, 0, place, src, ScatterReduce::amax)).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{0, 0.5, 0.5}));
  EXPECT_EQ(src.grad().to_vector<double>(), (Values{0.5, 0.5, 0.5, 0.5}));
  // Without x, a place has only what is sent there.
  x.zero_grad();
  src.zero_grad();
  sum(scatter_reduce(x, 0, slice(place, 0, 0, 3), src, ScatterReduce::amax, false)).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{0, 0, 1}));
  EXPECT_EQ(src.grad().to_vector<double>(), (Values{1, 0.5, 0.5, 0}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const ScatterReduce r : {ScatterReduce::amax, ScatterReduce::amin}) {
    const auto y = scatter_reduce(tensor<double>({1, nan}), 0, tensor<int64_t>({0, 1}),
                                  tensor<double>({nan, 5}), r)
                       .to_vector<double>();
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  }
  const Tensor k = tensor<int64_t>({1, 2, 3}), sent = tensor<int64_t>({5, -8, 7});
  const Tensor to = tensor<int32_t>({0, 0, 2});
  const auto reduced = [&](ScatterReduce r, bool self) {
    return scatter_reduce(k, 0, to, sent, r, self).to_vector<int64_t>();
  };
  EXPECT_EQ(reduced(ScatterReduce::sum, true), (Numbers{-2, 2, 10}));
  EXPECT_EQ(reduced(ScatterReduce::mean, true), (Numbers{-1, 2, 5}));
  EXPECT_EQ(reduced(ScatterReduce::mean, false), (Numbers{-2, 2, 7}));
  EXPECT_EQ(reduced(ScatterReduce::prod, false), (Numbers{-40, 2, 7}));
  EXPECT_EQ(reduced(ScatterReduce::amin, true), (Numbers{-8, 2, 3}));
  EXPECT_EQ(reduced(ScatterReduce::amax, false), (Numbers{5, 2, 7}));
}

// Three factors of 0 at one place: the third derivative is the first that is not 0.
TEST(ScatterReduce, ProductsOfZerosToAnyOrder) {
  const Tensor x = tensor<double>({2, 3}).requires_grad_();
  const Tensor src = zeros({3}, DType::f64).requires_grad_();
  const Tensor y = scatter_reduce(x, 0, tensor<int64_t>({1, 1, 1}), src, ScatterReduce::prod);
  const Tensor first = grad({sum(y)}, {src}, {.create_graph = true})[0];
  EXPECT_EQ(first.to_vector<double>(), (Values{0, 0, 0}));
  const Tensor second = grad({select(first, 0, 0)}, {src}, {.create_graph = true})[0];
  EXPECT_EQ(second.to_vector<double>(), (Values{0, 0, 0}));
  const Tensor third = grad({select(second, 0, 1)}, {src}, {.create_graph = true})[0];
  EXPECT_EQ(third.to_vector<double>(), (Values{0, 0, 3}));
}

TEST(Gather, RowsByExpandedIndices) {
  const Tensor x = counting({3, 4, 5});
  const Tensor rows = tensor<int64_t>({2, 0}, {1, 2, 1});
  const Tensor y = gather(x, 1, expand(rows, {3, 2, 5}));
  numeric::expect_same_bits(y, index_select(x, 1, tensor<int64_t>({2, 0})));
  EXPECT_EQ(gather(scalar(3.0), 0, tensor<int64_t>({0})).shape(), Shape({1}));
  EXPECT_EQ(index_select(x, 1, scalar(0, DType::i64)).shape(), Shape({3, 1, 5}));
  EXPECT_THROW(index_select(scalar(3.0), 0, tensor<int64_t>({0, 0})), ShapeError);
  EXPECT_EQ(take(x, tensor<int64_t>({-1, -60})).to_vector<double>(), (Values{59, 0}));
  EXPECT_EQ(take_along_dim(x, tensor<int64_t>({-1}, {1, 1, 1}), 1).shape(), Shape({3, 1, 5}));
}

TEST(IndexAdd, AlphaOfWholeNumbers) {
  const Tensor x = tensor<int64_t>({1, 2}), i = tensor<int64_t>({1, 1});
  EXPECT_EQ(index_add(x, 0, i, x, -3).to_vector<int64_t>(), (Numbers{1, -7}));
  EXPECT_THROW(index_add(x, 0, i, x, 1.5), DTypeError);
  EXPECT_EQ(
      index_add(tensor<bool>({true, false}), 0, i, tensor<bool>({true, true})).to_vector<bool>(),
      (std::vector<bool>{true, true}));
  EXPECT_EQ(index_add(scalar(1.0), 0, scalar(0, DType::i64), scalar(1.0)).item(), 2);
}

TEST(InPlaceScatters, WriteIntoViews) {
  const Tensor x = zeros({3, 4}, DType::f64);
  const Tensor columns = x.transpose(0, 1);
  index_add_(columns, 0, tensor<int64_t>({1, 1}), ones({2, 3}, DType::f64));
  scatter_(select(x, 0, 2), 0, tensor<int64_t>({0, 3}), 5);
  scatter_add_(slice(x, 1, 2), 1, zeros({2, 2}, DType::i64), ones({2, 2}, DType::f64));
  index_copy_(x, 1, tensor<int64_t>({3}), full({3, 1}, 7, DType::f64));
  index_fill_(x, 0, tensor<int64_t>({-3}), 9);
  EXPECT_EQ(x.to_vector<double>(), (Values{9, 9, 9, 9, 0, 2, 2, 7, 5, 2, 0, 7}));
  masked_fill_(columns, tensor<bool>({true, false, true}), 1);
  masked_scatter_(x, x == 2.0, tensor<double>({-1, -2, -3}));
  EXPECT_EQ(x.to_vector<double>(), (Values{1, 1, 1, 1, 0, -1, -2, 7, 1, 1, 1, 1}));
}

TEST(Nonzero, ShapesAndSpecialValues) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(nonzero(tensor<double>({nan, 0.0, -0.0})).to_vector<int64_t>(), (Numbers{0}));
  EXPECT_EQ(nonzero(scalar(3.0)).shape(), Shape({1, 0}));
  EXPECT_EQ(nonzero(scalar(0.0)).shape(), Shape({0, 0}));
  const std::vector<Tensor> none = where(scalar(3.0)), two = where(tensor<double>({1, 0}, {1, 2}));
  ASSERT_EQ(none.size(), 1u);
  EXPECT_EQ(none[0].to_vector<int64_t>(), (Numbers{0}));
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(nonzero(zeros({3, 0})).shape(), Shape({0, 2}));
  // At every place of a word of eight.
  for (int64_t n : {1, 7, 8, 9, 16385, 40000}) {
    const Tensor m = ones({n}, DType::boolean);
    EXPECT_EQ(nonzero(m).numel(), n);
    EXPECT_EQ(nonzero(m).to_vector<int64_t>().back(), n - 1);
  }
}

TEST(Embedding, TakesIndicesOfI32) {
  const Tensor weight = counting({4, 2}).requires_grad_();
  const Tensor y = embedding(tensor<int32_t>({3, 0, 3}), weight);
  EXPECT_EQ(y.to_vector<double>(), (Values{6, 7, 0, 1, 6, 7}));
  sum(y).backward();
  EXPECT_EQ(weight.grad().to_vector<double>(), (Values{1, 1, 0, 0, 0, 0, 2, 2}));
}

TEST(Indexing, NoLiveNodesRemain) {
  const int64_t before = live_nodes();
  {
    const Tensor a = counting({3, 2}).requires_grad_();
    const Tensor x = a * 1.0;
    x.index({tensor<int64_t>({0, 0})}) = a.index({Slice(1)});
    const Tensor y = x.index({x > 2.0, None}) * x.index({0, 0});
    const Tensor g = grad({sum(y)}, {a}, {.create_graph = true})[0];
    sum(g * g).backward();
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace adjoint
