// Rows of losses of margins and labels, and of a normal distribution.
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/losses.h"

namespace adjoint::catalog {
namespace {

Sample ranking_sample(const std::string& name, const Tensors& inputs, double margin, Reduction r) {
  return sample(
      name + ", margin " + text(margin) + ", " + name_of(r), inputs,
      [=](const Tensors& in) { return margin_ranking_loss(in[0], in[1], in[2], margin, r); },
      [=](const Tensors& in) {
        const Array a(in[0]), b(in[1]), t(in[2]);
        const Shape shape =
            broadcast_shapes("reference", broadcast_shapes("reference", a.shape, b.shape), t.shape);
        return reduce_losses(make_array(shape,
                                        [&](const Shape& i) {
                                          const double d = a.broadcast(i) - b.broadcast(i);
                                          return std::max(0.0, margin - t.broadcast(i) * d);
                                        }),
                             r);
      },
      "F.margin_ranking_loss(x[0], x[1], x[2], margin=" + text(margin) + ", " + torch_reduction(r) +
          ")");
}

Row ranking_row() {
  const auto signs = [](const Shape& s, uint64_t seed) { return indices(s, 2, seed) * 2 - 1; };
  Row row{
      "margin_ranking_loss",
      {ranking_sample("(3, 4)", {input({3, 4}, 1), input({3, 4}, 2), signs({3, 4}, 3)}, 0.11,
                      Reduction::mean),
       ranking_sample("(3, 4) strided, (1, 4)",
                      {strided(input({3, 4}, 4)), strided(input({3, 4}, 5)), signs({1, 4}, 6)},
                      0.53, Reduction::none),
       ranking_sample("(0)", {input({0}, 1), input({0}, 2), signs({0}, 3)}, 0.11, Reduction::sum)}};
  row.errors = {error("ranks that differ",
                      [] {
                        return margin_ranking_loss(ones({2, 3}), ones({2, 3}), ones({3}));
                      },
                      {"margin_ranking_loss: ", "(2, 3)", "(3,)"}),
                error("shapes that do not broadcast",
                      [] { return margin_ranking_loss(ones({2}), ones({3}), ones({3})); },
                      {"margin_ranking_loss: ", "(2,)", "(3,)"}),
                error("a mean of batches",
                      [] {
                        return margin_ranking_loss(ones({2}), ones({2}), ones({2}), 0,
                                                   Reduction::batchmean);
                      },
                      {"margin_ranking_loss: ", "batchmean"})};
  row.scale = 4;
  return row;
}

Sample multi_margin_sample(const std::string& name, const Tensors& inputs, int64_t p, double margin,
                           const Tensor& weight, Reduction r) {
  std::string torch =
      "F.multi_margin_loss(x[0], x[1], p=" + std::to_string(p) + ", margin=" + text(margin) + ", ";
  if (weight.defined()) {
    torch += "weight=torch.tensor([0.5, 2.0, 1.5, 0.25], dtype=x[0].dtype), ";
  }
  return sample(
      name + ", p " + std::to_string(p) + ", margin " + text(margin) +
          (weight.defined() ? ", weight, " : ", ") + name_of(r),
      inputs,
      [=](const Tensors& in) { return multi_margin_loss(in[0], in[1], p, margin, weight, r); },
      [=](const Tensors& in) {
        Array x(in[0]);
        const Array t(in[1]);
        const int64_t classes = x.shape.back();
        x.shape = {static_cast<int64_t>(t.data.size()), classes};
        const Array losses = make_array(t.shape, [&, n = int64_t{0}](const Shape&) mutable {
          const auto own = static_cast<int64_t>(t.data[static_cast<size_t>(n)]);
          double sum = 0;
          for (int64_t c = 0; c < classes; ++c) {
            if (c == own) continue;
            sum += std::pow(std::max(0.0, margin - x.at({n, own}) + x.at({n, c})),
                            static_cast<double>(p));
          }
          ++n;
          const double w = weight.defined() ? Array(weight).at({own}) : 1;
          return sum * w / static_cast<double>(classes);
        });
        return reduce_losses(losses, r);
      },
      torch + torch_reduction(r) + ")");
}

Row multi_margin_row() {
  const Tensor weight = tensor<double>({0.5, 2.0, 1.5, 0.25});
  Row row{"multi_margin_loss",
          {multi_margin_sample("(3, 4)", {input({3, 4}, 1), indices({3}, 4, 2)}, 1, 0.77, {},
                               Reduction::mean),
           multi_margin_sample("(3, 4) strided", {strided(input({3, 4}, 3)), indices({3}, 4, 4)}, 2,
                               1.03, {}, Reduction::none),
           multi_margin_sample("(5, 4)", {input({5, 4}, 5), indices({5}, 4, 6)}, 1, 0.77, weight,
                               Reduction::sum),
           multi_margin_sample("(4)", {input({4}, 7), scalar(2, DType::i64)}, 2, 0.77, weight,
                               Reduction::none),
           multi_margin_sample("(0, 4)", {input({0, 4}, 8), zeros({0}, DType::i64)}, 1, 1.0, {},
                               Reduction::sum)}};
  row.errors = {
      error("a class outside",
            [] {
              return multi_margin_loss(ones({2, 3}), tensor<int64_t>({0, 3}));
            },
            {"multi_margin_loss: ", "target 3", "[0, 2]"}),
      error("another power",
            [] {
              return multi_margin_loss(ones({2, 3}), tensor<int64_t>({0, 1}), 3);
            },
            {"multi_margin_loss: ", "p is 3"}),
      error("targets of another shape",
            [] {
              return multi_margin_loss(ones({2, 3}), tensor<int64_t>({0}));
            },
            {"multi_margin_loss: ", "(1,)", "(2, 3)"}),
      error("a weight of another size",
            [] {
              return multi_margin_loss(ones({1, 3}), tensor<int64_t>({0}), 1, 1.0, ones({2}));
            },
            {"multi_margin_loss: ", "weight", "(2,)", "(3,)"})};
  row.ulps = 16;
  row.scale = 8;
  return row;
}

Sample labels_sample(const std::string& name, const Tensors& inputs, Reduction r) {
  return sample(
      name + ", " + name_of(r), inputs,
      [=](const Tensors& in) { return multilabel_margin_loss(in[0], in[1], r); },
      [=](const Tensors& in) {
        const Array x(in[0]), t(in[1]);
        const int64_t classes = x.shape.back();
        const Shape lead(x.shape.span().first(static_cast<size_t>(x.shape.rank() - 1)));
        const Array losses = make_array(lead, [&](const Shape& row) {
          const auto at = [&](const Array& a, int64_t c) {
            Shape place = row;
            place.push_back(c);
            return a.at(place);
          };
          std::vector<bool> is_label(static_cast<size_t>(classes));
          std::vector<int64_t> labels;
          for (int64_t k = 0; k < classes && at(t, k) >= 0; ++k) {
            labels.push_back(static_cast<int64_t>(at(t, k)));
            is_label[static_cast<size_t>(labels.back())] = true;
          }
          double sum = 0;
          for (const int64_t label : labels) {
            for (int64_t c = 0; c < classes; ++c) {
              if (!is_label[static_cast<size_t>(c)]) {
                sum += std::max(0.0, 1 - at(x, label) + at(x, c));
              }
            }
          }
          return sum / static_cast<double>(classes);
        });
        return reduce_losses(losses, r);
      },
      "F.multilabel_margin_loss(x[0], x[1], " + torch_reduction(r) + ")");
}

Row labels_row() {
  const Tensor some = tensor<int64_t>({3, 0, -1, 1, -1, 2, 2, 1, -1, 0, 0, 1, 2, 3, -1}, {3, 5});
  Row row{
      "multilabel_margin_loss",
      {labels_sample("(3, 5)", {input({3, 5}, 1) * 1.01, some}, Reduction::mean),
       labels_sample("(3, 5) strided", {strided(input({3, 5}, 2) * 1.01), some}, Reduction::none),
       labels_sample("(4)", {input({4}, 3), tensor<int64_t>({1, 2, -1, 0})}, Reduction::sum),
       labels_sample("(0, 3)", {input({0, 3}, 4), zeros({0, 3}, DType::i64)}, Reduction::sum)}};
  row.errors = {error("a class outside",
                      [] {
                        return multilabel_margin_loss(ones({3}), tensor<int64_t>({0, 3, -1}));
                      },
                      {"multilabel_margin_loss: ", "target 3", "[0, 2]"}),
                error("targets of another shape",
                      [] {
                        return multilabel_margin_loss(ones({2, 3}), tensor<int64_t>({0, 1}));
                      },
                      {"multilabel_margin_loss: ", "(2,)", "(2, 3)"}),
                error("targets that are no integers",
                      [] { return multilabel_margin_loss(ones({3}), ones({3})); },
                      {"multilabel_margin_loss: ", "f32", "i64"})};
  row.ulps = 16;
  row.scale = 8;
  return row;
}

Sample soft_labels_sample(const std::string& name, const Tensors& inputs, Reduction r) {
  const bool weighs = inputs.size() > 2;
  return sample(
      name + ", " + name_of(r), inputs,
      [=](const Tensors& in) {
        return multilabel_soft_margin_loss(in[0], in[1], weighs ? in[2] : Tensor(), r);
      },
      [=](const Tensors& in) {
        const Array x(in[0]), t(in[1]), w = weighs ? Array(in[2]) : Array(Shape(), 1);
        const int64_t classes = x.shape.back();
        const Shape lead(x.shape.span().first(static_cast<size_t>(x.shape.rank() - 1)));
        const Array losses = make_array(lead, [&](const Shape& row) {
          double sum = 0;
          for (int64_t c = 0; c < classes; ++c) {
            Shape at = row;
            at.push_back(c);
            const double p = 1 / (1 + std::exp(-x.at(at)));
            sum -= w.broadcast(at) * (t.at(at) * std::log(p) + (1 - t.at(at)) * std::log1p(-p));
          }
          return sum / static_cast<double>(classes);
        });
        return reduce_losses(losses, r);
      },
      std::string("F.multilabel_soft_margin_loss(x[0], x[1], ") + (weighs ? "x[2], " : "") +
          torch_reduction(r) + ")");
}

Row soft_labels_row() {
  const auto chances = [](const Shape& s, uint64_t seed) { return spread(s, 0.05, 0.95, seed); };
  Row row{"multilabel_soft_margin_loss",
          {soft_labels_sample("(3, 4)", {input({3, 4}, 1), chances({3, 4}, 2)}, Reduction::mean),
           soft_labels_sample("(3, 4) strided, weight (4)",
                              {strided(input({3, 4}, 3)), chances({3, 4}, 4), chances({4}, 5)},
                              Reduction::none),
           soft_labels_sample("(4)", {input({4}, 6), chances({4}, 7)}, Reduction::sum),
           soft_labels_sample("(0, 3)", {input({0, 3}, 8), chances({0, 3}, 9)}, Reduction::sum)}};
  row.errors = {
      error("targets of another shape",
            [] {
              return multilabel_soft_margin_loss(ones({2, 3}), ones({3}));
            },
            {"multilabel_soft_margin_loss: ", "(3,)", "(2, 3)"}),
      error("a weight that does not fit",
            [] {
              return multilabel_soft_margin_loss(ones({2, 3}), ones({2, 3}), ones({2}));
            },
            {"multilabel_soft_margin_loss: ", "(2,)", "(2, 3)"}),
      error("whole numbers", [] { return multilabel_soft_margin_loss(arange(3), arange(3)); },
            {"multilabel_soft_margin_loss: ", "i64"})};
  row.ulps = 8;
  row.scale = 4;
  return row;
}

Sample gaussian_sample(const std::string& name, const Tensors& inputs, bool full, Reduction r) {
  const std::string options = std::string("full=") + (full ? "True" : "False") + ", ";
  return sample(
      name + ", " + options + name_of(r), inputs,
      [=](const Tensors& in) { return gaussian_nll_loss(in[0], in[1], in[2], full, 0.01, r); },
      [=](const Tensors& in) {
        const Array x(in[0]), t(in[1]);
        Array v(in[2]);
        if (v.shape.rank() < x.shape.rank()) v.shape.push_back(1);
        const Array losses = make_array(x.shape, [&](const Shape& i) {
          const double d = x.at(i) - t.broadcast(i), var = std::max(0.01, v.broadcast(i));
          return 0.5 * (std::log(var) + d * d / var + (full ? std::log(2 * M_PI) : 0));
        });
        return reduce_losses(losses, r);
      },
      "F.gaussian_nll_loss(x[0], x[1], x[2], eps=0.01, " + options + torch_reduction(r) + ")");
}

Row gaussian_row() {
  const auto variances = [](const Shape& s, uint64_t seed) { return spread(s, 0.3, 2.1, seed); };
  Row row{
      "gaussian_nll_loss",
      {gaussian_sample("(3, 4)", {variances({3, 4}, 1), variances({3, 4}, 2), variances({3, 4}, 3)},
                       false, Reduction::mean),
       gaussian_sample("(3, 4) strided, var (3)",
                       {strided(input({3, 4}, 4)), input({4}, 5), variances({3}, 6)}, true,
                       Reduction::none),
       gaussian_sample("(2, 3, 4), var (2, 1, 4)",
                       {input({2, 3, 4}, 7), input({2, 3, 4}, 8), variances({2, 1, 4}, 9)}, true,
                       Reduction::sum),
       gaussian_sample("(0, 3)", {input({0, 3}, 1), input({0, 3}, 2), variances({0, 3}, 3)}, false,
                       Reduction::sum)}};
  row.errors = {error("variances of another shape",
                      [] {
                        return gaussian_nll_loss(ones({2, 3}), ones({2, 3}), ones({3}));
                      },
                      {"gaussian_nll_loss: ", "var", "(3,)", "(2, 3)"}),
                error("a negative variance",
                      [] { return gaussian_nll_loss(ones({2}), ones({2}), full({2}, -1.0)); },
                      {"gaussian_nll_loss: ", "negative"}),
                error("an eps of 0",
                      [] { return gaussian_nll_loss(ones({2}), ones({2}), ones({2}), false, 0.0); },
                      {"gaussian_nll_loss: ", "eps"})};
  row.ulps = 16;
  row.scale = 8;
  return row;
}

}  // namespace

void add_margin_losses(std::vector<Row>& rows) {
  rows.push_back(gaussian_row());
  rows.push_back(ranking_row());
  rows.push_back(multi_margin_row());
  rows.push_back(labels_row());
  rows.push_back(soft_labels_row());
}

}  // namespace adjoint::catalog
