// Rows of the losses of two numbers, element by element.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <cmath>

#include "core/catalog/losses.h"

namespace adjoint::catalog {
namespace {

using Domain = Tensor (*)(const Shape& shape, uint64_t seed);

Tensor signed_numbers(const Shape& s, uint64_t seed) { return both_signs(s, 0.2, 1.8, seed); }
Tensor probabilities(const Shape& s, uint64_t seed) { return spread(s, 0.05, 0.95, seed); }
Tensor positive(const Shape& s, uint64_t seed) { return spread(s, 0.3, 2.4, seed); }
Tensor signs(const Shape& s, uint64_t seed) { return indices(s, 2, seed) * 2 - 1; }
Tensor real_signs(const Shape& s, uint64_t seed) { return to(signs(s, seed), DType::f64); }
// Further from the first operand's numbers, in tenths and a half, than any step.
Tensor beside(const Shape& s, uint64_t seed) {
  return to(indices(s, 41, seed), DType::f64) * 0.1 - 1.99;
}
Tensor tenths(const Shape& s, uint64_t seed) {
  return to(indices(s, 31, seed), DType::f64) * 0.1 - 1.5;
}

// A loss with its arguments.
struct Loss {
  std::string name, arguments;  // for the samples' names
  std::function<Tensor(const Tensor&, const Tensor&, Reduction)> run;
  std::function<double(double, double)> number;
  std::function<Tensor(const Tensor&, const Tensor&)> in_tensors;
  std::string torch;  // up to the reduction: "F.l1_loss(x[0], x[1], "
  Domain x, t;
};

Sample sample_of(const Loss& loss, const std::string& shapes, const Tensor& x, const Tensor& t,
                 Reduction reduction) {
  Sample sample{shapes + loss.arguments + ", " + name_of(reduction), {x, t}, {}, {}};
  sample.run = binary([=](const Tensor& a, const Tensor& b) { return loss.run(a, b, reduction); });
  sample.reference = [=](const Tensors& in) -> Tensors {
    const Array a(in[0]), b(in[1]);
    const Shape shape = broadcast_shapes("reference", a.shape, b.shape);
    return {reduce_losses(
        make_array(shape,
                   [&](const Shape& i) { return loss.number(a.broadcast(i), b.broadcast(i)); }),
        reduction)};
  };
  sample.composed = binary([=](const Tensor& a, const Tensor& b) {
    return reduce_tensors(loss.in_tensors(a, b), reduction);
  });
  if (!loss.torch.empty()) sample.torch = loss.torch + torch_reduction(reduction) + ")";
  return sample;
}

// Samples with every reduction; `broadcasts`: the target may be smaller.
Row row_of(const Loss& loss, bool broadcasts = true) {
  const auto at = [&](const std::string& shapes, const Shape& x, const Shape& t, uint64_t seed,
                      Reduction reduction) {
    return sample_of(loss, shapes, loss.x(x, seed), loss.t(t, seed + 1), reduction);
  };
  const Shape small = broadcasts ? Shape{3, 1} : Shape{2, 3, 2};
  Row row{loss.name,
          {at("(2, 3)", {2, 3}, {2, 3}, 1, Reduction::mean),
           sample_of(loss, "(4, 3) strided", strided(loss.x({4, 3}, 3)), strided(loss.t({4, 3}, 4)),
                     Reduction::sum),
           at("(2, 3, 2) and " + to_string(small), {2, 3, 2}, small, 5, Reduction::none),
           at("(0, 3)", {0, 3}, {0, 3}, 7, Reduction::sum), at("()", {}, {}, 9, Reduction::mean)}};
  const auto run = loss.run;
  row.errors = {
      error("shapes that differ",
            [run] {
              return run(zeros({2}), zeros({2, 1}), Reduction::mean);
            },
            {loss.name + ": ", "(2,)", "(2, 1)"}),
      error("whole numbers", [run] { return run(arange(2), arange(2), Reduction::mean); },
            {loss.name + ": ", "i64"}),
      error("an undefined tensor", [run] { return run(zeros({2}), Tensor(), Reduction::mean); },
            {loss.name + ": ", "undefined"})};
  row.large = [loss] {
    return sample_of(loss, "(257, 1031)", loss.x({257, 1031}, 11), loss.t({257, 1031}, 12),
                     Reduction::mean);
  };
  row.ulps = 8;
  row.scale = 4;
  return row;
}

// The same loss with other arguments.
void add(Row& row, const Loss& loss, Reduction reduction = Reduction::mean) {
  row.samples.push_back(
      sample_of(loss, "(2, 5)", loss.x({2, 5}, 21), loss.t({2, 5}, 22), reduction));
}

// A function of input, target and a weight.
using Weighted = std::function<Tensor(const Tensor&, const Tensor&, const Tensor&, Reduction)>;

// inputs: x, t, weight. The mean is over the sum of the weights where `by_weight`.
Sample weighted_sample(const Loss& loss, const Weighted& run, const Shape& weight,
                       Reduction reduction, const std::string& torch, bool by_weight = false) {
  Sample sample{"(3, 4), weight " + to_string(weight) + ", " + name_of(reduction),
                {loss.x({3, 4}, 31), loss.t({3, 4}, 32), positive(weight, 33)},
                {},
                {}};
  sample.run = [=](const Tensors& in) -> Tensors { return {run(in[0], in[1], in[2], reduction)}; };
  sample.reference = [=](const Tensors& in) -> Tensors {
    const Array x(in[0]), t(in[1]), w(in[2]);
    double total = 0;
    const Array losses = make_array(x.shape, [&](const Shape& i) {
      total += w.broadcast(i);
      return loss.number(x.at(i), t.at(i)) * w.broadcast(i);
    });
    return {
        reduce_losses(losses, reduction, by_weight ? total : static_cast<double>(x.data.size()))};
  };
  sample.torch = torch;
  return sample;
}

void add_weight_error(Row& row, const Weighted& run) {
  row.errors.push_back(error("a weight that does not fit",
                             [run] {
                               return run(zeros({2, 3}), zeros({2, 3}), ones({2}), Reduction::mean);
                             },
                             {row.name + ": ", "weight", "(2,)", "(2, 3)"}));
}

void add_errors_of_regression(std::vector<Row>& rows) {
  const Loss mse{"mse_loss",
                 "",
                 [](const Tensor& x, const Tensor& t, Reduction r) { return mse_loss(x, t, r); },
                 [](double x, double t) { return (x - t) * (x - t); },
                 [](const Tensor& x, const Tensor& t) { return square(x - t); },
                 "F.mse_loss(x[0], x[1], ",
                 &signed_numbers,
                 &signed_numbers};
  rows.push_back(row_of(mse));
  const Weighted weighted_mse = [](const Tensor& x, const Tensor& t, const Tensor& w, Reduction r) {
    return mse_loss(x, t, r, w);
  };
  rows.back().samples.push_back(weighted_sample(mse, weighted_mse, {3, 4}, Reduction::mean,
                                                "F.mse_loss(x[0], x[1], weight=x[2])", true));
  add_weight_error(rows.back(), weighted_mse);

  const Loss l1{"l1_loss",
                "",
                [](const Tensor& x, const Tensor& t, Reduction r) { return l1_loss(x, t, r); },
                [](double x, double t) { return std::abs(x - t); },
                [](const Tensor& x, const Tensor& t) { return abs(x - t); },
                "F.l1_loss(x[0], x[1], ",
                &tenths,
                &beside};
  rows.push_back(row_of(l1));
  const Weighted weighted_l1 = [](const Tensor& x, const Tensor& t, const Tensor& w, Reduction r) {
    return l1_loss(x, t, r, w);
  };
  rows.back().samples.push_back(weighted_sample(l1, weighted_l1, {3, 4}, Reduction::mean,
                                                "F.l1_loss(x[0], x[1], weight=x[2])", true));
  add_weight_error(rows.back(), weighted_l1);

  const auto smooth = [](double beta) {
    return Loss{"smooth_l1_loss",
                ", beta " + std::to_string(beta).substr(0, 4),
                [=](const Tensor& x, const Tensor& t, Reduction r) {
                  return smooth_l1_loss(x, t, r, beta);
                },
                [=](double x, double t) {
                  const double d = std::abs(x - t);
                  return d < beta ? d * d / (2 * beta) : d - beta / 2;
                },
                [=](const Tensor& x, const Tensor& t) {
                  const Tensor d = abs(x - t);
                  if (beta == 0) return d;
                  return where(d < beta, square(d) / (2 * beta), d - beta / 2);
                },
                "F.smooth_l1_loss(x[0], x[1], beta=" + std::to_string(beta) + ", ",
                &tenths,
                &beside};
  };
  rows.push_back(row_of(smooth(1.0)));
  add(rows.back(), smooth(0.3));
  add(rows.back(), smooth(0.0), Reduction::none);
  rows.back().errors.push_back(error(
      "a negative beta", [] { return smooth_l1_loss(ones({2}), ones({2}), Reduction::mean, -0.5); },
      {"smooth_l1_loss: ", "beta", "-0.5"}));

  const auto huber = [](double delta) {
    return Loss{
        "huber_loss",
        ", delta " + std::to_string(delta).substr(0, 4),
        [=](const Tensor& x, const Tensor& t, Reduction r) { return huber_loss(x, t, r, delta); },
        [=](double x, double t) {
          const double d = std::abs(x - t);
          return d < delta ? d * d / 2 : delta * (d - delta / 2);
        },
        [=](const Tensor& x, const Tensor& t) {
          const Tensor d = abs(x - t);
          return where(d < delta, square(d) / 2.0, (d - delta / 2) * delta);
        },
        "F.huber_loss(x[0], x[1], delta=" + std::to_string(delta) + ", ",
        &tenths,
        &beside};
  };
  rows.push_back(row_of(huber(1.0)));
  add(rows.back(), huber(0.3), Reduction::none);
  const Weighted weighted_huber = [](const Tensor& x, const Tensor& t, const Tensor& w,
                                     Reduction r) { return huber_loss(x, t, r, 1.0, w); };
  rows.back().samples.push_back(weighted_sample(huber(1.0), weighted_huber, {3, 4}, Reduction::mean,
                                                "F.huber_loss(x[0], x[1], weight=x[2])"));
  rows.back().errors.push_back(
      error("a delta of 0", [] { return huber_loss(ones({2}), ones({2}), Reduction::mean, 0.0); },
            {"huber_loss: ", "delta", "0"}));

  rows.push_back(
      row_of({"log_cosh_loss", "",
              [](const Tensor& x, const Tensor& t, Reduction r) { return log_cosh_loss(x, t, r); },
              [](double x, double t) { return std::log(std::cosh(x - t)); },
              [](const Tensor& x, const Tensor& t) { return log(cosh(x - t)); }, "",
              &signed_numbers, &signed_numbers}));
  for (Sample& sample : rows.back().samples) {
    const bool none = sample.name.ends_with("none"), sum = sample.name.ends_with("sum");
    sample.torch = std::string("torch.log(torch.cosh(x[0] - x[1]))") + (none  ? ""
                                                                        : sum ? ".sum()"
                                                                              : ".mean()");
  }
}

double log_sigmoid(double x) { return -std::log1p(std::exp(-x)); }

double bce_number(double x, double t) { return -t * std::log(x) - (1 - t) * std::log1p(-x); }
double logits_number(double x, double t) { return -t * log_sigmoid(x) - (1 - t) * log_sigmoid(-x); }

// What positives weigh: a constant, or an input that is differentiated, which PyTorch cannot.
Sample positives_sample(bool as_input) {
  const Tensor weight = tensor<double>({0.5, 2.0, 1.5, 0.25});
  Sample sample{
      as_input ? "(3, 4), pos_weight (4), mean" : "(3, 4), a constant pos_weight (4), mean",
      {signed_numbers({3, 4}, 41), probabilities({3, 4}, 42)},
      {},
      {}};
  if (as_input) sample.inputs.push_back(weight);
  sample.run = [=](const Tensors& in) -> Tensors {
    return {binary_cross_entropy_with_logits(in[0], in[1], {}, Reduction::mean,
                                             as_input ? in[2] : weight)};
  };
  sample.reference = [=](const Tensors& in) -> Tensors {
    const Array x(in[0]), t(in[1]), w(as_input ? in[2] : weight);
    return {reduce_losses(make_array(x.shape,
                                     [&](const Shape& i) {
                                       return -w.broadcast(i) * t.at(i) * log_sigmoid(x.at(i)) -
                                              (1 - t.at(i)) * log_sigmoid(-x.at(i));
                                     }),
                          Reduction::mean)};
  };
  sample.torch = as_input ? "-(x[2] * x[1] * F.logsigmoid(x[0]) + "
                            "(1 - x[1]) * F.logsigmoid(-x[0])).mean()"
                          : "F.binary_cross_entropy_with_logits(x[0], x[1], pos_weight="
                            "torch.tensor([0.5, 2.0, 1.5, 0.25], dtype=x[0].dtype))";
  return sample;
}

void add_binary_cross_entropies(std::vector<Row>& rows) {
  const Loss bce{
      "binary_cross_entropy",
      "",
      [](const Tensor& x, const Tensor& t, Reduction r) {
        return binary_cross_entropy(x, t, {}, r);
      },
      &bce_number,
      [](const Tensor& x, const Tensor& t) { return -t * log(x) - (1.0 - t) * log(1.0 - x); },
      "F.binary_cross_entropy(x[0], x[1], ",
      &probabilities,
      &probabilities};
  rows.push_back(row_of(bce, false));
  rows.back().gradient_ulps = 256;  // the divisor x (1 - x) is as small as 0.05
  const Weighted weighted = [](const Tensor& x, const Tensor& t, const Tensor& w, Reduction r) {
    return binary_cross_entropy(x, t, w, r);
  };
  // PyTorch has no gradient of the weight: the same in its own operators.
  rows.back().samples.push_back(
      weighted_sample(bce, weighted, {4}, Reduction::mean,
                      "(F.binary_cross_entropy(x[0], x[1], reduction='none') * x[2]).mean()"));
  add_weight_error(rows.back(), weighted);
  rows.back().errors.push_back(error(
      "what is no probability", [] { return binary_cross_entropy(full({2}, 1.5), zeros({2})); },
      {"binary_cross_entropy: ", "input", "1.5", "[0, 1]"}));

  const Loss logits{"binary_cross_entropy_with_logits",
                    "",
                    [](const Tensor& x, const Tensor& t, Reduction r) {
                      return binary_cross_entropy_with_logits(x, t, {}, r);
                    },
                    &logits_number,
                    [](const Tensor& x, const Tensor& t) { return softplus(x) - t * x; },
                    "F.binary_cross_entropy_with_logits(x[0], x[1], ",
                    &signed_numbers,
                    &probabilities};
  rows.push_back(row_of(logits, false));
  const Weighted weighted_logits = [](const Tensor& x, const Tensor& t, const Tensor& w,
                                      Reduction r) {
    return binary_cross_entropy_with_logits(x, t, w, r);
  };
  rows.back().samples.push_back(
      weighted_sample(logits, weighted_logits, {3, 1}, Reduction::none,
                      "F.binary_cross_entropy_with_logits(x[0], x[1], reduction='none') * x[2]"));
  add_weight_error(rows.back(), weighted_logits);
  rows.back().samples.push_back(positives_sample(false));
  rows.back().samples.push_back(positives_sample(true));

  const auto focal = [](double alpha, double gamma) {
    const auto written = [](double v) { return std::to_string(v).substr(0, 4); };
    const std::string a = written(alpha), g = written(gamma);
    return Loss{"sigmoid_focal_loss",
                ", alpha " + a + ", gamma " + g,
                [=](const Tensor& x, const Tensor& t, Reduction r) {
                  return sigmoid_focal_loss(x, t, alpha, gamma, r);
                },
                [=](double x, double t) {
                  const double p = 1 / (1 + std::exp(-x)), right = p * t + (1 - p) * (1 - t);
                  const double balance = alpha < 0 ? 1 : alpha * t + (1 - alpha) * (1 - t);
                  return balance * std::pow(1 - right, gamma) * logits_number(x, t);
                },
                [=](const Tensor& x, const Tensor& t) {
                  const Tensor p = sigmoid(x), wrong = p + t - 2.0 * p * t;
                  const Tensor y = pow(wrong, gamma) * (softplus(x) - t * x);
                  return alpha < 0 ? y : y * (alpha * t + (1 - alpha) * (1.0 - t));
                },
                "",
                &signed_numbers,
                &probabilities};
  };
  rows.push_back(row_of(focal(0.25, 2.0), false));
  add(rows.back(), focal(-1.0, 0.5));
  add(rows.back(), focal(0.75, 0.0), Reduction::none);
  // torchvision's formula.
  for (Sample& sample : rows.back().samples) {
    const bool none = sample.name.ends_with("none"), sum = sample.name.ends_with("sum");
    const bool second = sample.name.find("-1.0") != std::string::npos;
    const bool third = sample.name.find("0.75") != std::string::npos;
    const std::string gamma = second ? "0.5" : third ? "0.0" : "2.0";
    const std::string alpha = third ? "0.75" : "0.25";
    const std::string balance =
        second ? "" : " * (" + alpha + " * t + (1 - " + alpha + ") * (1 - t))";
    sample.torch =
        "(lambda v, t: (F.binary_cross_entropy_with_logits(v, t, reduction='none') * "
        "(1 - (v.sigmoid() * t + (1 - v.sigmoid()) * (1 - t))) ** " +
        gamma + balance + ")" +
        (none  ? ""
         : sum ? ".sum()"
               : ".mean()") +
        ")(x[0], x[1])";
  }
  rows.back().gradient_ulps = 128;
  rows.back().errors.push_back(
      error("a negative gamma", [] { return sigmoid_focal_loss(ones({2}), ones({2}), 0.25, -1); },
            {"sigmoid_focal_loss: ", "gamma", "-1"}));
  rows.back().errors.push_back(error("alpha above 1",
                                     [] { return sigmoid_focal_loss(ones({2}), ones({2}), 1.5); },
                                     {"sigmoid_focal_loss: ", "alpha", "1.5"}));
}

Tensor logarithms(const Shape& s, uint64_t seed) { return spread(s, -3.0, -0.1, seed); }

void add_of_distributions(std::vector<Row>& rows) {
  const auto kl = [](bool log_target) {
    return Loss{
        "kl_div",
        log_target ? ", log_target" : "",
        [=](const Tensor& x, const Tensor& t, Reduction r) { return kl_div(x, t, r, log_target); },
        [=](double x, double t) {
          return log_target ? std::exp(t) * (t - x) : t * (std::log(t) - x);
        },
        [=](const Tensor& x, const Tensor& t) {
          return log_target ? exp(t) * (t - x) : t * (log(t) - x);
        },
        std::string("F.kl_div(x[0], x[1], ") + (log_target ? "log_target=True, " : ""),
        &logarithms,
        log_target ? &logarithms : &probabilities};
  };
  rows.push_back(row_of(kl(false)));
  add(rows.back(), kl(true), Reduction::none);
  add(rows.back(), kl(true), Reduction::sum);
  rows.back().samples.push_back(
      {"(3, 4), batchmean",
       {logarithms({3, 4}, 51), probabilities({3, 4}, 52)},
       binary([](const Tensor& x, const Tensor& t) { return kl_div(x, t, Reduction::batchmean); }),
       [](const Tensors& in) -> Tensors {
         const Array x(in[0]), t(in[1]);
         double sum = 0;
         for (size_t i = 0; i < x.data.size(); ++i) {
           sum += t.data[i] * (std::log(t.data[i]) - x.data[i]);
         }
         return {scalar(sum / 3, DType::f64)};
       },
       {},
       true,
       "F.kl_div(x[0], x[1], reduction='batchmean')"});

  const auto poisson = [](bool log_input, bool full) {
    const std::string arguments = std::string(", log_input=") + (log_input ? "True" : "False") +
                                  ", full=" + (full ? "True" : "False") + ", eps=1e-3";
    return Loss{"poisson_nll_loss",
                arguments,
                [=](const Tensor& x, const Tensor& t, Reduction r) {
                  return poisson_nll_loss(x, t, log_input, full, 1e-3, r);
                },
                [=](double x, double t) {
                  double y = log_input ? std::exp(x) - t * x : x - t * std::log(x + 1e-3);
                  if (full && t > 1) y += t * std::log(t) - t + 0.5 * std::log(2 * M_PI * t);
                  return y;
                },
                [=](const Tensor& x, const Tensor& t) {
                  Tensor y = log_input ? exp(x) - t * x : x - t * log(x + 1e-3);
                  if (!full) return y;
                  const Tensor term = t * log(t) - t + 0.5 * log(2 * M_PI * t);
                  return y + where(t > 1.0, term, 0.0);
                },
                "F.poisson_nll_loss(x[0], x[1]" + arguments + ", ",
                log_input ? &signed_numbers : &positive,
                &positive};
  };
  rows.push_back(row_of(poisson(true, false)));
  add(rows.back(), poisson(false, false));
  add(rows.back(), poisson(true, true), Reduction::none);
  add(rows.back(), poisson(false, true), Reduction::sum);
}

void add_of_margins(std::vector<Row>& rows) {
  Loss soft{"soft_margin_loss",
            "",
            [](const Tensor& x, const Tensor& t, Reduction r) { return soft_margin_loss(x, t, r); },
            [](double x, double t) { return std::log1p(std::exp(-t * x)); },
            [](const Tensor& x, const Tensor& t) { return log(1.0 + exp(-t * x)); },
            "F.soft_margin_loss(x[0], x[1], ",
            &signed_numbers,
            &signs};
  rows.push_back(row_of(soft));
  soft.arguments = ", real targets";  // which PyTorch does not differentiate
  soft.t = &real_signs;
  soft.torch = "";
  add(rows.back(), soft);
  rows.back().samples.back().torch = "F.softplus(-x[0] * x[1]).mean()";

  const auto hinged = [](double margin) {
    return Loss{
        "hinge_embedding_loss",
        ", margin " + std::to_string(margin).substr(0, 4),
        [=](const Tensor& x, const Tensor& t, Reduction r) {
          return hinge_embedding_loss(x, t, margin, r);
        },
        [=](double x, double t) { return t == 1 ? x : std::max(0.0, margin - x); },
        [=](const Tensor& x, const Tensor& t) { return where(t == 1, x, relu(margin - x)); },
        "F.hinge_embedding_loss(x[0], x[1], margin=" + std::to_string(margin) + ", ",
        &tenths,
        &signs};
  };
  rows.push_back(row_of(hinged(1.04)));
  add(rows.back(), hinged(0.23), Reduction::none);
}

}  // namespace

void add_pair_losses(std::vector<Row>& rows) {
  add_errors_of_regression(rows);
  add_binary_cross_entropies(rows);
  add_of_distributions(rows);
  add_of_margins(rows);
}

}  // namespace adjoint::catalog
