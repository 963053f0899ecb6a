// Rows of the norms and dropouts of channels, and of bags of rows.
#include <adjoint/core/dropout.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include "core/catalog/builders.h"
#include "core/ops/channel_norm.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }
Tensor part(const Tensors& in, size_t i) { return i < in.size() ? in[i] : Tensor(); }

// --- norms ---

// Running statistics of c channels, anew for each call, for training writes into them.
Tensor running_mean(int64_t c) {
  return make_array({c}, [](const Shape& i) { return 0.25 * static_cast<double>(i[0]) - 0.5; })
      .tensor();
}
Tensor running_var(int64_t c) {
  return make_array({c}, [](const Shape& i) { return 0.25 * static_cast<double>(i[0]) + 0.5; })
      .tensor();
}

// x normalised by the mean and variance of what has the same group; or by given ones.
struct NormOf {
  std::function<int64_t(const Shape& index)> group;
  double eps = 1e-5;
  bool running = false;  // the group is the channel
};
Tensor normalised(const Tensors& in, const NormOf& of) {
  const Array x(in[0]);
  struct Moments {
    double count = 0, sum = 0, squares = 0;
  };
  std::map<int64_t, Moments> moments;
  for_each_index(x.shape, [&](const Shape& i) {
    Moments& m = moments[of.group(i)];
    m.count += 1;
    m.sum += x.at(i);
  });
  for_each_index(x.shape, [&](const Shape& i) {
    Moments& m = moments[of.group(i)];
    const double off = x.at(i) - m.sum / m.count;
    m.squares += off * off;
  });
  const int64_t channels = x.shape[1];
  const Array mean(running_mean(channels)), var(running_var(channels));
  return make_array(x.shape,
                    [&](const Shape& i) {
                      const Moments& m = moments[of.group(i)];
                      const double centre = of.running ? mean.at({i[1]}) : m.sum / m.count;
                      const double variance = of.running ? var.at({i[1]}) : m.squares / m.count;
                      double y = (x.at(i) - centre) / std::sqrt(variance + of.eps);
                      if (in.size() > 1) y *= Array(in[1]).at({i[1]});
                      if (in.size() > 2) y += Array(in[2]).at({i[1]});
                      return y;
                    })
      .tensor();
}

// The same for PyTorch, as two tensors of x's dtype.
std::string running_call(int64_t c) {
  const auto list = [](const Tensor& x) {
    std::string text = "torch.tensor([";
    for (const double v : x.to_vector<double>()) text += std::to_string(v) + ", ";
    return text + "], dtype=x[0].dtype)";
  };
  return list(running_mean(c)) + ", " + list(running_var(c));
}

// inputs: x, weight, bias, as many as there are.
Sample batch_norm_sample(const std::string& name, const Tensors& inputs, bool training,
                         double eps = 1e-5) {
  const int64_t c = inputs[0].shape()[1];
  Sample sample{
      name, inputs,
      [=](const Tensors& in) -> Tensors {
        const Tensor mean = training ? Tensor() : running_mean(c);
        const Tensor var = training ? Tensor() : running_var(c);
        return {batch_norm(in[0], mean, var, part(in, 1), part(in, 2), training, 0.1, eps)};
      },
      [=](const Tensors& in) -> Tensors {
        return {normalised(in, {[](const Shape& i) { return i[1]; }, eps, !training})};
      },
      [=](const Tensors& in) -> Tensors {
        return {composed::batch_norm(in[0], running_mean(c), running_var(c), part(in, 1),
                                     part(in, 2), training, eps)};
      }};
  sample.torch = "F.batch_norm(x[0], " + (training ? "None, None" : running_call(c)) +
                 ", *(x[1:] + [None, None])[:2], training=" + (training ? "True" : "False") +
                 ", eps=" + std::to_string(eps) + ")";
  return sample;
}

// Results near 1 and beyond, of sums whose terms are near 2.
Row norm_row(Row row) {
  row.ulps = 16;
  row.scale = 2;
  row.gradient_ulps = 512;
  return row;
}

std::vector<ErrorCase> channel_errors(
    const std::string& name,
    const std::function<Tensor(const Tensor& x, const Tensor& weight)>& f) {
  return {error("one dimension", [=] { return f(ones({3}), {}); },
                {name + ": ", "(3,)", "expected (N, C, "}),
          error("a weight of another size",
                [=] {
                  return f(ones({2, 4, 3}), ones({3}));
                },
                {name + ": ", "weight of shape (3,)", "4 channels", "expected one number"}),
          error("integers",
                [=] {
                  return f(ones({2, 4, 3}, DType::i64), {});
                },
                {name + ": ", "i64", "expected a floating dtype"})};
}

Row batch_norm_row() {
  const auto affine = [](int64_t c) { return Tensors{input({c}, 2), input({c}, 3)}; };
  const auto with = [](const Tensor& x, const Tensors& more) {
    Tensors all{x};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  Row row{
      "batch_norm",
      {batch_norm_sample("(3, 4, 2, 5), training, weight, bias",
                         with(input({3, 4, 2, 5}, 1), affine(4)), true),
       batch_norm_sample("(5, 3), training, weight, bias", with(input({5, 3}, 4), affine(3)), true),
       batch_norm_sample("(2, 3, 4) strided, training, eps 0.1", {strided(input({2, 3, 4}, 5))},
                         true, 0.1),
       batch_norm_sample("(2, 3, 2, 2, 3), weight, bias",
                         with(input({2, 3, 2, 2, 3}, 6), affine(3)), false),
       batch_norm_sample("(2, 3), weight", {input({2, 3}, 7), input({3}, 8)}, false),
       batch_norm_sample("(0, 3, 4), weight, bias", with(input({0, 3, 4}, 9), affine(3)), false)}};
  row.errors = channel_errors("batch_norm", [](const Tensor& x, const Tensor& weight) {
    return batch_norm(x, {}, {}, weight, {}, true);
  });
  row.errors.push_back(error("no running statistics",
                             [] {
                               return batch_norm(ones({2, 3}), {}, {});
                             },
                             {"batch_norm: ", "no running statistics"}));
  row.errors.push_back(error("one of two running statistics",
                             [] {
                               return batch_norm(ones({2, 3}), ones({3}), {});
                             },
                             {"batch_norm: ", "running_mean and running_var"}));
  row.errors.push_back(error("one value in training",
                             [] {
                               return batch_norm(ones({1, 3}), {}, {}, {}, {}, true);
                             },
                             {"batch_norm: ", "one value for each channel", "(1, 3)"}));
  row.large = [=] {
    return batch_norm_sample("(16, 24, 30, 31), training, weight, bias",
                             with(input({16, 24, 30, 31}, 10), affine(24)), true);
  };
  return norm_row(row);
}

Sample group_norm_sample(const std::string& name, const Tensors& inputs, int64_t groups,
                         double eps = 1e-5) {
  const int64_t each = inputs[0].shape()[1] / groups;
  Sample sample{
      name, inputs,
      [=](const Tensors& in) -> Tensors {
        return {group_norm(in[0], groups, part(in, 1), part(in, 2), eps)};
      },
      [=](const Tensors& in) -> Tensors {
        return {normalised(in, {[=](const Shape& i) { return i[0] * groups + i[1] / each; }, eps})};
      },
      [=](const Tensors& in) -> Tensors {
        return {composed::group_norm(in[0], groups, part(in, 1), part(in, 2), eps)};
      }};
  sample.torch =
      "F.group_norm(x[0], " + std::to_string(groups) + ", *x[1:], eps=" + std::to_string(eps) + ")";
  return sample;
}

Row group_norm_row() {
  Row row{
      "group_norm",
      {group_norm_sample("(2, 6, 3, 2) in 3, weight, bias",
                         {input({2, 6, 3, 2}, 1), input({6}, 2), input({6}, 3)}, 3),
       group_norm_sample("(2, 4, 5) strided in 1, eps 0.1", {strided(input({2, 4, 5}, 4))}, 1, 0.1),
       group_norm_sample("(3, 4, 3) in 4, weight", {input({3, 4, 3}, 5), input({4}, 6)}, 4),
       group_norm_sample("(3, 8) in 2, weight, bias",
                         {input({3, 8}, 7), input({8}, 8), input({8}, 9)}, 2),
       group_norm_sample("(0, 4, 3) in 2, weight, bias",
                         {input({0, 4, 3}, 10), input({4}, 11), input({4}, 12)}, 2)}};
  row.errors = channel_errors(
      "group_norm", [](const Tensor& x, const Tensor& weight) { return group_norm(x, 2, weight); });
  row.errors.push_back(error("groups that do not divide",
                             [] {
                               return group_norm(ones({2, 4, 3}), 3);
                             },
                             {"group_norm: ", "3 groups of 4 channels", "expected a divisor"}));
  row.errors.push_back(error("no groups",
                             [] {
                               return group_norm(ones({2, 4, 3}), 0);
                             },
                             {"group_norm: ", "0 groups", "expected a divisor"}));
  row.large = [] {
    return group_norm_sample("(16, 24, 30, 31) in 6, weight, bias",
                             {input({16, 24, 30, 31}, 13), input({24}, 14), input({24}, 15)}, 6);
  };
  return norm_row(row);
}

Sample instance_norm_sample(const std::string& name, const Tensors& inputs, bool own,
                            double eps = 1e-5) {
  const int64_t c = inputs[0].shape()[1];
  Sample sample{
      name, inputs,
      [=](const Tensors& in) -> Tensors {
        return {instance_norm(in[0], own ? Tensor() : running_mean(c),
                              own ? Tensor() : running_var(c), part(in, 1), part(in, 2), own, 0.1,
                              eps)};
      },
      [=](const Tensors& in) -> Tensors {
        return {normalised(in, {[=](const Shape& i) { return i[0] * c + i[1]; }, eps, !own})};
      }};
  sample.torch = "F.instance_norm(x[0], " + (own ? "None, None" : running_call(c)) +
                 ", *(x[1:] + [None, None])[:2], use_input_stats=" + (own ? "True" : "False") +
                 ", eps=" + std::to_string(eps) + ")";
  return sample;
}

Row instance_norm_row() {
  Row row{"instance_norm",
          {instance_norm_sample("(2, 3, 3, 2), weight, bias",
                                {input({2, 3, 3, 2}, 1), input({3}, 2), input({3}, 3)}, true),
           instance_norm_sample("(2, 4, 5) strided, eps 0.1", {strided(input({2, 4, 5}, 4))}, true,
                                0.1),
           instance_norm_sample("(2, 3, 4), running, weight, bias",
                                {input({2, 3, 4}, 5), input({3}, 6), input({3}, 7)}, false),
           instance_norm_sample("(0, 3, 4)", {input({0, 3, 4}, 8)}, false)}};
  row.samples.back().torch.clear();  // PyTorch refuses an empty batch
  row.errors = channel_errors("instance_norm", [](const Tensor& x, const Tensor& weight) {
    return instance_norm(x, {}, {}, weight);
  });
  row.errors.push_back(error("one value",
                             [] {
                               return instance_norm(ones({2, 3, 1}));
                             },
                             {"instance_norm: ", "one value for each channel", "(2, 3, 1)"}));
  row.errors.push_back(error("no running statistics",
                             [] {
                               return instance_norm(ones({2, 3, 4}), {}, {}, {}, {}, false);
                             },
                             {"instance_norm: ", "no running statistics"}));
  row.large = [] {
    return instance_norm_sample("(16, 24, 30, 31), weight, bias",
                                {input({16, 24, 30, 31}, 13), input({24}, 14), input({24}, 15)},
                                true);
  };
  return norm_row(row);
}

Sample response_sample(const std::string& name, const Tensor& x, int64_t size, double alpha,
                       double beta, double k) {
  Sample sample{
      name,
      {x},
      unary([=](const Tensor& v) { return local_response_norm(v, size, alpha, beta, k); }),
      [=](const Tensors& in) -> Tensors {
        const Array a(in[0]);
        return {make_array(a.shape, [&](Shape i) {
                  const double own = a.at(i);
                  const int64_t first = i[1] - size / 2;
                  double sum = 0;
                  for (int64_t c = first; c < first + size; ++c) {
                    if (c < 0 || c >= a.shape[1]) continue;
                    i[1] = c;
                    sum += a.at(i) * a.at(i);
                  }
                  return own / std::pow(k + alpha * sum / static_cast<double>(size), beta);
                }).tensor()};
      }};
  sample.torch = "F.local_response_norm(x[0], " + std::to_string(size) + ", " +
                 std::to_string(alpha) + ", " + std::to_string(beta) + ", " + std::to_string(k) +
                 ")";
  return sample;
}

Row response_row() {
  Row row{"local_response_norm",
          {response_sample("(2, 5, 3), size 3", input({2, 5, 3}, 1), 3, 0.5, 0.75, 1),
           response_sample("(2, 4, 2, 3) strided, size 2", strided(input({2, 4, 2, 3}, 2)), 2, 1.5,
                           0.5, 2),
           response_sample("(1, 3, 2, 2, 2), size 7", input({1, 3, 2, 2, 2}, 3), 7, 0.1, 1.25, 0.5),
           response_sample("(0, 3, 2), size 3", input({0, 3, 2}, 4), 3, 0.5, 0.75, 1)}};
  row.errors = {error("two dimensions",
                      [] {
                        return local_response_norm(ones({2, 3}), 2);
                      },
                      {"local_response_norm: ", "(2, 3)", "expected (N, C, sizes...)"}),
                error("size 0",
                      [] {
                        return local_response_norm(ones({2, 3, 4}), 0);
                      },
                      {"local_response_norm: ", "size is 0", "expected 1 or more"}),
                error("integers",
                      [] {
                        return local_response_norm(ones({2, 3, 4}, DType::i64), 2);
                      },
                      {"local_response_norm: ", "i64", "expected a floating dtype"})};
  row.large = [] {
    return response_sample("(4, 24, 30, 31), size 5", input({4, 24, 30, 31}, 5), 5, 0.5, 0.75, 1);
  };
  row.ulps = 16;  // a power of a few ulps, and the mean under it
  return row;
}

// --- dropout ---

constexpr uint64_t kSeed = 7, kOffset = 3;

bool dropped(int64_t i, double p) {
  const auto at = static_cast<uint64_t>(i);
  return philox(kSeed, kOffset, at / 4).word[at % 4] < p * 0x1p32;
}

using Dropout = Tensor (*)(const Tensor&, double, bool, Generator&);

// The mask has an element for each index of the first `lead` dimensions; `alpha` says what becomes
// of an element that is dropped, and of the others.
Sample dropout_sample(const std::string& name, Dropout f, const Tensor& x, double p, int lead,
                      bool alpha, bool training = true) {
  return {name + ", p " + std::to_string(p),
          {x},
          unary([=](const Tensor& v) {
            Generator generator(kSeed, kOffset);
            return f(v, p, training, generator);
          }),
          [=](const Tensors& in) -> Tensors {
            const Array a(in[0]);
            const double limit = -1.6732632423543772 * 1.0507009873554805;  // of selu
            const double scale = 1 / std::sqrt((1 - p) * (1 + p * limit * limit));
            return {make_array(a.shape, [&](const Shape& i) {
                      int64_t at = 0;
                      for (int d = 0; d < lead; ++d) at = at * a.shape[d] + i[d];
                      if (!training) return a.at(i);
                      const bool gone = dropped(at, p);
                      if (!alpha) return gone ? 0.0 : a.at(i) / (1 - p);
                      return scale * (gone ? limit : a.at(i)) - scale * limit * p;
                    }).tensor()};
          }};
}

Row dropout_row(const std::string& name, Dropout f, int rank) {
  const Shape shapes[] = {{3, 7, 2}, {3, 7, 2, 2}, {2, 7, 2, 2, 1}};
  const Shape shape = shapes[rank - 1];
  Shape open = shape, none = shape;
  open.erase(0);
  none[0] = 0;
  const bool batch = rank == 2;  // dropout2d of three dimensions takes the first for a batch
  Row row{
      name,
      {dropout_sample(to_string(shape), f, input(shape, 1), 0.4, 2, false),
       dropout_sample(to_string(shape) + " strided", f, strided(input(shape, 2)), 0.5, 2, false),
       dropout_sample(to_string(open), f, input(open, 3), 0.5, batch ? 2 : 1, false),
       dropout_sample(to_string(shape) + ", not training", f, input(shape, 4), 0.5, 2, false,
                      false),
       dropout_sample(to_string(none), f, input(none, 5), 0.5, 2, false)}};
  row.errors = {
      error("a probability above 1", [=] { return f(ones(shape), 1.5, true, default_generator()); },
            {name + ": ", "1.5", "[0, 1]"}),
      error("integers", [=] { return f(ones(shape, DType::i64), 0.5, true, default_generator()); },
            {name + ": ", "i64", "expected a floating dtype"}),
      error("one dimension", [=] { return f(ones({3}), 0.5, true, default_generator()); },
            {name + ": ", "(3,)", "expected " + std::to_string(rank + 2)})};
  row.bf16_roundings = 2;  // of the mask, and of the product
  return row;
}

Row alpha_row(const std::string& name, Dropout f, bool channels) {
  const auto sample = [=](const Tensor& x, const std::string& what, double p, bool training) {
    return dropout_sample(to_string(x.shape()) + what, f, x, p, channels ? 2 : x.dim(), true,
                          training);
  };
  Row row{name,
          {sample(input({3, 5, 2}, 1), "", 0.4, true),
           sample(strided(input({4, 3}, 2)), " strided", 0.25, true),
           sample(input({0, 3}, 3), "", 0.5, true),
           sample(input({2, 3}, 4), ", not training", 0.5, false)}};
  row.errors = {error("a negative probability",
                      [=] {
                        return f(ones({2, 3}), -0.5, true, default_generator());
                      },
                      {name + ": ", "-0.5", "[0, 1]"}),
                error("integers",
                      [=] {
                        return f(ones({2, 3}, DType::i64), 0.5, true, default_generator());
                      },
                      {name + ": ", "i64", "expected a floating dtype"}),
                error("no tensor", [=] { return f(Tensor(), 0.5, true, default_generator()); },
                      {name + ": ", "input 0 is an undefined tensor"})};
  if (channels) {
    row.errors.push_back(error("one dimension",
                               [=] { return f(ones({3}), 0.5, true, default_generator()); },
                               {name + ": ", "(3,)", "expected (N, C, ...)"}));
  }
  row.large = [=] { return sample(input({257, 131, 8}, 6), "", 0.2, true); };
  row.scale = 2;  // a sum of two terms of up to about 1.8
  return row;
}

// --- bags ---

struct Bags {
  EmbeddingBagMode mode;
  Tensor offsets = {};
  bool include_last_offset = false;
  std::optional<int64_t> padding_idx = std::nullopt;
};

// inputs: indices, the table, and a weight for each sample where there is one.
Tensors bag_reference(const Tensors& in, const Bags& of) {
  const Array ids(in[0]), table(in[1]);
  std::vector<int64_t> begin;
  if (of.offsets.defined()) {
    begin = of.offsets.to_vector<int64_t>();
    if (!of.include_last_offset) begin.push_back(in[0].numel());
  } else {
    for (int64_t b = 0; b <= ids.shape[0]; ++b) begin.push_back(b * ids.shape[1]);
  }
  return {
      make_array({static_cast<int64_t>(begin.size()) - 1, table.shape[1]}, [&](const Shape& at) {
        const auto b = static_cast<size_t>(at[0]);
        double sum = 0, most = 0, count = 0;
        for (auto i = static_cast<size_t>(begin[b]); i < static_cast<size_t>(begin[b + 1]); ++i) {
          const auto row = static_cast<int64_t>(ids.data[i]);
          if (row == of.padding_idx.value_or(-1)) continue;
          const double v = table.at({row, at[1]});
          most = count == 0 ? v : std::max(most, v);
          sum += in.size() > 2 ? v * Array(in[2]).data[i] : v;
          count += 1;
        }
        if (of.mode == EmbeddingBagMode::max) return most;
        return of.mode == EmbeddingBagMode::mean && count > 0 ? sum / count : sum;
      }).tensor()};
}

Sample bag_sample(const std::string& name, const Tensors& inputs, const Bags& of) {
  constexpr const char* modes[] = {"sum", "mean", "max"};
  const std::string mode = modes[static_cast<int>(of.mode)];
  Sample sample{mode + ", " + name, inputs,
                [of](const Tensors& in) -> Tensors {
                  return {embedding_bag(
                      in[0], in[1],
                      {of.offsets, of.mode, part(in, 2), of.include_last_offset, of.padding_idx})};
                },
                [of](const Tensors& in) { return bag_reference(in, of); }};
  std::string offsets = "None";
  if (of.offsets.defined()) {
    offsets = "torch.tensor([";
    for (const int64_t v : of.offsets.to_vector<int64_t>()) offsets += std::to_string(v) + ", ";
    offsets += "], dtype=torch.int64)";
  }
  sample.torch = "F.embedding_bag(x[0], x[1], " + offsets + ", mode='" + mode + "'";
  if (inputs.size() > 2) sample.torch += ", per_sample_weights=x[2]";
  if (of.include_last_offset) sample.torch += ", include_last_offset=True";
  if (of.padding_idx) sample.torch += ", padding_idx=" + std::to_string(*of.padding_idx);
  sample.torch += ")";
  return sample;
}

Row embedding_bag_row() {
  using Mode = EmbeddingBagMode;
  const Tensor ids = tensor<int64_t>({0, 2, 2, 1, 4, 0, 3}),
               grid = tensor<int64_t>({0, 2, 2, 1, 4, 0}, {2, 3});
  const Tensor offsets = tensor<int64_t>({0, 3, 3, 4}), ends = tensor<int64_t>({0, 3, 3, 7});
  const Tensor table = input({5, 4}, 1);
  Row row{
      "embedding_bag",
      {bag_sample("(2, 3) of (5, 4)", {grid, table}, {Mode::sum}),
       bag_sample("(3, 2) strided of (5, 3) strided, weights",
                  {transpose(grid, 0, 1), strided(input({5, 3}, 2)), input({3, 2}, 3)},
                  {Mode::sum}),
       bag_sample("(7) with offsets, weights", {ids, table, input({7}, 4)}, {Mode::sum, offsets}),
       bag_sample("(7) with offsets", {ids, table}, {Mode::mean, offsets}),
       bag_sample("(7) with offsets and the last, row 2 skipped", {ids, table},
                  {Mode::mean, ends, true, 2}),
       bag_sample("(2, 3), row 0 skipped", {grid, table}, {Mode::sum, {}, false, 0}),
       bag_sample("(7) with offsets", {ids, table}, {Mode::max, offsets}),
       bag_sample("(2, 3), row 2 skipped", {grid, table}, {Mode::max, {}, false, 2}),
       bag_sample("(0) with no bags", {zeros({0}, DType::i64), table},
                  {Mode::sum, zeros({0}, DType::i64)})}};
  row.errors = {error("an index outside",
                      [=] {
                        return embedding_bag(ids, ones({4, 2}), {offsets});
                      },
                      {"embedding_bag: ", "index 4 at (4,)", "[0, 4)"}),
                error("one dimension without offsets", [=] { return embedding_bag(ids, table); },
                      {"embedding_bag: ", "(7,)", "expected two dimensions, or offsets"}),
                error("offsets that fall",
                      [=] {
                        return embedding_bag(ids, table, {tensor<int64_t>({0, 4, 2})});
                      },
                      {"embedding_bag: ", "offset 2 at 2 of 3", "no less than before"}),
                error("weights of a mean",
                      [=] {
                        return embedding_bag(ids, table, {offsets, Mode::mean, input({7}, 4)});
                      },
                      {"embedding_bag: ", "per_sample_weights", "expected mode sum"}),
                error("weights of another shape",
                      [=] {
                        return embedding_bag(ids, table, {offsets, Mode::sum, input({6}, 4)});
                      },
                      {"embedding_bag: ", "(6,)", "(7,)", "expected equal shapes"}),
                error("indices that are no integers",
                      [=] {
                        return embedding_bag(ones({2, 2}), table);
                      },
                      {"embedding_bag: ", "f32", "expected i64 or i32"})};
  row.large = [] {
    return bag_sample("(512, 8) of (97, 128)", {indices({512, 8}, 97, 5), input({97, 128}, 6)},
                      {Mode::mean});
  };
  row.scale = 8;  // of sums of up to eight terms near 2
  return row;
}

}  // namespace

void add_channels(std::vector<Row>& rows) {
  rows.push_back(batch_norm_row());
  rows.push_back(group_norm_row());
  rows.push_back(instance_norm_row());
  rows.push_back(response_row());
  rows.push_back(dropout_row("dropout1d", &dropout1d, 1));
  rows.push_back(dropout_row("dropout2d", &dropout2d, 2));
  rows.push_back(dropout_row("dropout3d", &dropout3d, 3));
  rows.push_back(alpha_row("alpha_dropout", &alpha_dropout, false));
  rows.push_back(alpha_row("feature_alpha_dropout", &feature_alpha_dropout, true));
  rows.push_back(embedding_bag_row());
}

}  // namespace adjoint::catalog
