// The checks that every row of the catalogue gets. A test is one check of one operator:
// Catalog/OpCheck.Values/softmax.
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/op_catalog.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <regex>
#include <set>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using catalog::Row;
using catalog::Sample;
using numeric::expect_same_bits;
using numeric::values;
using Tensors = std::vector<Tensor>;

const std::vector<Row>& all_rows() {
  static const std::vector<Row> rows = catalog::rows();
  return rows;
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const Row& row : all_rows()) result.push_back(row.name);
  return result;
}

bool floating(const Tensor& x) { return x.defined() && is_floating_point(x.dtype()); }

// |a - b| <= tolerance max(|b|, scale), or both the same kind of not finite.
void expect_near(const Tensor& a, const Tensor& b, double tolerance, double scale) {
  ASSERT_TRUE(a.defined() && b.defined());
  ASSERT_EQ(a.shape(), b.shape());
  const std::vector<double> x = values(a), y = values(b);
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    ASSERT_LE(std::abs(x[i] - y[i]), tolerance * std::max(std::abs(y[i]), scale))
        << "element " << i << ": " << x[i] << " against " << y[i];
  }
}

// For a of 16 bits: |a - b| <= roundings epsilon / 2 max(|b|, scale) + what f32 contributes, or
// both not finite alike. Below 2^-14 an f16 is a whole number of 2^-24.
void expect_near_in_half(const Tensor& a, const Tensor& b, int roundings, double scale,
                         double of_f32) {
  ASSERT_TRUE(a.defined() && b.defined());
  ASSERT_EQ(a.shape(), b.shape());
  const std::vector<double> x = values(a), y = values(b);
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double size = std::max(std::abs(y[i]), scale);
    // Just beside the middle between two numbers, f32's own error decides which one it is.
    const double rest = std::max(of_f32, 64 * epsilon(DType::f32) * size);
    const double least = a.dtype() == DType::f16 ? 0x1p-14 : 0;
    const double rounding = epsilon(a.dtype()) / 2 * std::max(size, least);
    ASSERT_LE(std::abs(x[i] - y[i]), roundings * rounding + rest)
        << "element " << i << ": " << x[i] << " against " << y[i];
  }
}

double largest(const Tensor& x) {
  double result = 0;
  for (const double v : values(x)) result = std::max(result, std::abs(v));
  return result;
}

// The floating inputs as fresh leaves of a dtype, with their layout.
Tensors leaves(const Tensors& inputs, DType dtype = DType::f64) {
  Tensors result;
  for (const Tensor& x : inputs) {
    if (!floating(x)) {
      result.push_back(x);
      continue;
    }
    Tensor leaf = x.detach();
    if (dtype != x.dtype()) {
      const Tensor other = empty(x.shape(), dtype);
      copy_(other, leaf);
      leaf = x.is_contiguous() ? other : numeric::strided(other);
    }
    result.push_back(leaf.requires_grad_());
  }
  return result;
}

// A gradient for each floating output.
Tensors directions(const Tensors& outputs) {
  Tensors result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    result.push_back(floating(outputs[i])
                         ? numeric::random(outputs[i].shape(), 40 + i).to(outputs[i].dtype())
                         : Tensor());
  }
  return result;
}

// Adds the gradients of sum(y . directions) to those of the leaves, with directions that `exact`
// holds.
void run_backward(const Tensors& y, bool create_graph = false, DType exact = DType::f64) {
  Tensors dy = directions(y), outputs, given;
  for (size_t i = 0; i < y.size(); ++i) {
    if (!floating(y[i]) || !y[i].requires_grad()) continue;
    outputs.push_back(y[i]);
    given.push_back(dy[i].to(exact).to(dy[i].dtype()));
  }
  if (!outputs.empty()) backward(outputs, given, {.create_graph = create_graph});
}

// The gradients of sum(f(x) . directions); zeros where an input has no influence.
Tensors gradients(const TensorFunction& f, const Tensors& x, bool create_graph = false) {
  for (const Tensor& one : x) {
    if (floating(one)) one.zero_grad();
  }
  run_backward(f(x), create_graph);
  Tensors result;
  for (const Tensor& one : x) {
    if (!floating(one)) {
      result.emplace_back();
      continue;
    }
    result.push_back(one.grad().defined() ? one.grad().detach() : zeros_like(one));
    one.zero_grad();  // recorded ones would keep their graph alive
  }
  return result;
}

class OpCheck : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const Row& row : all_rows()) {
      if (row.name == GetParam()) row_ = &row;
    }
    nodes_ = live_nodes();
  }
  // Every check ends without a node left behind.
  void TearDown() override { EXPECT_EQ(live_nodes(), nodes_) << "nodes were leaked"; }

  const Row& row() const { return *row_; }
  bool differentiable(const Sample& sample) const {
    return row().differentiable && sample.differentiable;
  }

  // Calls f with each sample, or with the first where the environment asks for one only.
  template <class F>
  void each_sample(F&& f) const {
    const char* wanted = std::getenv("ADJOINT_TEST_SAMPLES");
    const bool one = wanted != nullptr && std::string(wanted) == "one";
    for (const Sample& sample : row().samples) {
      SCOPED_TRACE(row().name + ", sample " + sample.name);
      f(sample);
      if (HasFatalFailure() || one) return;
    }
  }

 private:
  const Row* row_ = nullptr;
  int64_t nodes_ = 0;
};

TEST_P(OpCheck, HasItsSamples) {
  EXPECT_GE(row().samples.size(), 3u);
  std::set<std::string> sample_names;
  bool strided = false, without_elements = false, takes_tensors = false;
  for (const Sample& sample : row().samples) {
    EXPECT_TRUE(sample_names.insert(sample.name).second) << sample.name << " is there twice";
    for (const Tensor& x : sample.inputs) {
      takes_tensors = true;
      strided = strided || !x.is_contiguous();
      without_elements = without_elements || x.numel() == 0;
    }
    if (sample.inputs.empty())
      without_elements = without_elements || sample.run({})[0].numel() == 0;
  }
  EXPECT_TRUE(strided || !takes_tensors) << "no strided input";
  EXPECT_TRUE(without_elements) << "no sample without elements";
}

// Against the reference: the inputs rounded to the dtype go to both.
TEST_P(OpCheck, Values) {
  each_sample([&](const Sample& sample) {
    for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
      if (dtype != DType::f64 && row().f64_only) continue;
      SCOPED_TRACE(name(dtype));
      const NoGrad guard;
      Tensors inputs = leaves(sample.inputs, dtype), rounded;
      if (is_half(dtype) && !sample.halves) {
        EXPECT_THROW(sample.run(inputs), DTypeError);
        continue;
      }
      for (const Tensor& x : inputs) rounded.push_back(floating(x) ? x.to(DType::f64) : x);
      const Tensors got = sample.run(inputs), expected = sample.reference(rounded);
      ASSERT_EQ(got.size(), expected.size());
      for (size_t i = 0; i < got.size(); ++i) {
        SCOPED_TRACE("output " + std::to_string(i));
        // Casts and factories say their dtype themselves.
        const bool own = row().name == "to" || sample.inputs.empty();
        const bool real = floating(expected[i]);
        EXPECT_EQ(got[i].dtype(), real && !own ? dtype : expected[i].dtype());
        if (is_half(got[i].dtype())) {
          const int roundings = row().bf16_roundings;
          expect_near_in_half(got[i], expected[i], roundings, roundings > 1 ? row().scale : 0,
                              row().ulps * epsilon(DType::f32) * row().scale);
        } else {
          expect_near(got[i], expected[i], row().ulps * epsilon(got[i].dtype()), row().scale);
        }
      }
    }
  });
}

TEST_P(OpCheck, FirstAndSecondDerivatives) {
  each_sample([&](const Sample& sample) {
    if (!differentiable(sample)) {
      for (const Tensor& y : sample.run(leaves(sample.inputs))) EXPECT_TRUE(y.is_leaf());
      return;
    }
    const GradcheckReport first = gradcheck(sample.run, sample.inputs, kTightGradcheck);
    EXPECT_TRUE(first.passed) << first.message;
    const GradcheckReport second = gradgradcheck(sample.run, sample.inputs, kTightGradcheck);
    EXPECT_TRUE(second.passed) << second.message;
  });
}

// The fused kernels against the definition in simpler operators: values, gradients, and gradients
// under create_graph.
TEST_P(OpCheck, FusedIsComposed) {
  each_sample([&](const Sample& sample) {
    if (!sample.composed) return;
    const Tensors x = leaves(sample.inputs);
    const Tensors fused = sample.run(x), composed = sample.composed(x);
    ASSERT_EQ(fused.size(), composed.size());
    for (size_t i = 0; i < fused.size(); ++i) {
      expect_near(fused[i], composed[i], 2 * row().ulps * epsilon(DType::f64), row().scale);
    }
    const Tensors expected = gradients(sample.composed, x);
    for (const bool create_graph : {false, true}) {
      const Tensors dx = gradients(sample.run, x, create_graph);
      for (size_t i = 0; i < x.size(); ++i) {
        if (!floating(x[i])) continue;
        SCOPED_TRACE("gradient " + std::to_string(i) + (create_graph ? ", recorded" : ", fused"));
        expect_near(dx[i], expected[i], row().gradient_ulps * epsilon(DType::f64),
                    std::max(1.0, largest(expected[i])));
      }
    }
  });
}

// Recorded or not, the gradient is the same.
TEST_P(OpCheck, RecordedGradientsAreTheSame) {
  each_sample([&](const Sample& sample) {
    for (const DType dtype : {DType::f64, DType::f32}) {
      const Tensors x = leaves(sample.inputs, dtype);
      const Tensors fused = gradients(sample.run, x), recorded = gradients(sample.run, x, true);
      for (size_t i = 0; i < x.size(); ++i) {
        if (!floating(x[i])) continue;
        SCOPED_TRACE(std::string(name(dtype)) + ", gradient " + std::to_string(i));
        expect_near(recorded[i], fused[i], row().gradient_ulps * epsilon(dtype),
                    std::max(1.0, largest(fused[i])));
      }
    }
  });
}

TEST_P(OpCheck, NarrowGradientsAreThoseOfF64) {
  each_sample([&](const Sample& sample) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      if (is_half(dtype) && (row().f64_only || !sample.halves)) continue;
      SCOPED_TRACE(name(dtype));
      const Tensors narrow = leaves(sample.inputs, dtype);
      Tensors wide;
      for (const Tensor& x : narrow) {
        wide.push_back(floating(x) ? x.detach().to(DType::f64).requires_grad_() : x);
      }
      run_backward(sample.run(narrow), false, dtype);
      run_backward(sample.run(wide), false, dtype);
      for (size_t i = 0; i < narrow.size(); ++i) {
        if (!floating(narrow[i]) || !wide[i].grad().defined()) continue;
        SCOPED_TRACE("gradient " + std::to_string(i));
        const Tensor got = narrow[i].grad(), expected = wide[i].grad();
        EXPECT_EQ(got.dtype(), dtype);
        const double scale = std::max(1.0, largest(expected));
        const double of_f32 = row().gradient_ulps * epsilon(DType::f32);
        if (is_half(dtype)) {
          expect_near_in_half(got, expected, row().bf16_gradient_roundings, scale, of_f32 * scale);
        } else {
          expect_near(got, expected, of_f32, scale);
        }
      }
    }
  });
}

// The same elements in column-major order without gaps, which elementwise operators keep.
Tensor reversed(const Tensor& x) {
  Shape order;
  for (int d = x.dim() - 1; d >= 0; --d) order.push_back(d);
  const NoGrad guard;
  return permute(permute(x, order).contiguous(), order);
}

// Inputs that lie strided or reversed in memory, or are expanded from one element, give what packed
// ones do.
TEST_P(OpCheck, LayoutDoesNotMatter) {
  each_sample([&](const Sample& sample) {
    // These take no layout but their own.
    if (row().name == "view" || row().name == "as_strided") return;
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      SCOPED_TRACE("input " + std::to_string(i));
      const Tensor& x = sample.inputs[i];
      for (const std::string layout : {"strided", "reversed", "expanded"}) {
        SCOPED_TRACE(layout);
        Tensors laid = sample.inputs, packed = sample.inputs;
        packed[i] = x.contiguous();
        if (layout == "expanded") {
          if (x.numel() == 0 || row().name.ends_with("_")) continue;
          Tensor first = x;
          while (first.dim() > 0) first = select(first, 0, 0);
          laid[i] = expand(first, x.shape());
          packed[i] = laid[i].contiguous();
        } else {
          laid[i] = layout == "strided" ? numeric::strided(x) : reversed(x);
        }
        const NoGrad guard;
        const Tensors got = sample.run(laid), expected = sample.run(packed);
        for (size_t o = 0; o < got.size(); ++o) {
          expect_near(got[o], expected[o], 2 * row().ulps * epsilon(DType::f64), row().scale);
        }
        if (!differentiable(sample)) continue;
        const EnableGrad enable;
        const Tensors a = gradients(sample.run, leaves(laid));
        const Tensors b = gradients(sample.run, leaves(packed));
        for (size_t k = 0; k < a.size(); ++k) {
          if (!a[k].defined()) continue;
          expect_near(a[k], b[k], row().gradient_ulps * epsilon(DType::f64),
                      std::max(1.0, largest(b[k])));
        }
      }
    }
  });
}

// f(x, x): the gradients of both uses add up.
TEST_P(OpCheck, AnInputUsedTwice) {
  each_sample([&](const Sample& sample) {
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      for (size_t j = i + 1; j < sample.inputs.size(); ++j) {
        const Tensor &a = sample.inputs[i], &b = sample.inputs[j];
        if (!floating(a) || !floating(b) || a.shape() != b.shape()) continue;
        Tensors apart = sample.inputs;
        apart[j] = a;
        const Tensors separate = gradients(sample.run, leaves(apart));
        Tensors shared = leaves(apart);
        shared[j] = shared[i];
        const Tensors together = gradients(sample.run, shared);
        expect_near(together[i], separate[i] + separate[j],
                    row().gradient_ulps * epsilon(DType::f64),
                    std::max({1.0, largest(separate[i]), largest(separate[j])}));
      }
    }
  });
}

// Each input's gradient is the same when it alone is asked for.
TEST_P(OpCheck, SomeInputsWithoutGradient) {
  each_sample([&](const Sample& sample) {
    const Tensors all = gradients(sample.run, leaves(sample.inputs));
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      if (!floating(sample.inputs[i])) continue;
      Tensors x = sample.inputs;
      for (Tensor& one : x) one = one.detach();
      x[i].requires_grad_();
      const Tensors alone = gradients(sample.run, x);
      expect_near(alone[i], all[i], row().gradient_ulps * epsilon(DType::f64),
                  std::max(1.0, largest(all[i])));
      for (size_t k = 0; k < x.size(); ++k) {
        EXPECT_TRUE(k == i || !floating(x[k]) || !x[k].grad().defined()) << "input " << k;
      }
    }
  });
}

// Gradients accumulate: the second backward adds to what the first one left.
TEST_P(OpCheck, GradientsAccumulate) {
  each_sample([&](const Sample& sample) {
    const Tensors x = leaves(sample.inputs);
    const Tensors once = gradients(sample.run, x);
    for (int time = 0; time < 3; ++time) run_backward(sample.run(x));
    for (size_t i = 0; i < x.size(); ++i) {
      if (!floating(x[i]) || !x[i].grad().defined()) continue;
      expect_near(x[i].grad(), once[i] * 3.0, row().gradient_ulps * epsilon(DType::f64),
                  std::max(1.0, largest(once[i])));
    }
  });
}

TEST_P(OpCheck, NothingIsRecordedUnderNoGrad) {
  each_sample([&](const Sample& sample) {
    const Tensors x = leaves(sample.inputs);
    const int64_t before = live_nodes();
    {
      const NoGrad guard;
      for (const Tensor& y : sample.run(x)) {
        EXPECT_FALSE(floating(y) && y.requires_grad() && !y.is_leaf());
      }
    }
    EXPECT_EQ(live_nodes(), before);
    const EnableGrad guard;
    bool recorded = false;
    for (const Tensor& y : sample.run(x)) recorded = recorded || (floating(y) && y.requires_grad());
    bool asked = false;
    for (const Tensor& one : x) asked = asked || floating(one);
    EXPECT_EQ(recorded, asked && differentiable(sample));
  });
}

// What was saved may change before backward: then that is an error that says so, or it was not
// needed and the gradient is right.
TEST_P(OpCheck, ChangedInputsAreNoticed) {
  each_sample([&](const Sample& sample) {
    if (!differentiable(sample)) return;
    const Tensors expected = gradients(sample.run, leaves(sample.inputs));
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      if (sample.inputs[i].numel() == 0) continue;
      SCOPED_TRACE("input " + std::to_string(i));
      Tensors own = sample.inputs;
      for (Tensor& one : own) one = one.is_contiguous() ? one.clone() : numeric::strided(one);
      const Tensors x = leaves(own);
      const Tensors y = sample.run(x);
      {
        const NoGrad guard;
        if (floating(x[i])) {
          mul_(x[i].detach(), 3.0);
        } else if (x[i].dtype() == DType::boolean) {
          copy_(x[i], eq(x[i], false));
        } else {
          fill_(x[i], 0);
        }
      }
      try {
        run_backward(y);
      } catch (const AutogradError& error) {
        const std::string text = error.what();
        EXPECT_NE(text.find("has changed"), std::string::npos) << text;
        EXPECT_NE(text.find("written by"), std::string::npos) << text;
        continue;
      }
      for (size_t k = 0; k < x.size(); ++k) {
        if (!floating(x[k]) || !x[k].grad().defined()) continue;
        expect_near(x[k].grad(), expected[k], row().gradient_ulps * epsilon(DType::f64),
                    std::max(1.0, largest(expected[k])));
      }
    }
  });
}

TEST_P(OpCheck, ThreadsDoNotChangeBits) {
  if (!row().large) return;
  const Sample sample = row().large();
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    if (is_half(dtype) && !sample.halves) continue;
    const Tensors x = leaves(sample.inputs, dtype);
    numeric::expect_same_on_threads([&] {
      Tensors all;
      for (const Tensor& y : sample.run(x)) all.push_back(y.detach());
      if (row().differentiable) {
        for (const Tensor& dx : gradients(sample.run, x)) all.push_back(dx);
      }
      return all;
    });
  }
}

// The large sample too computes what it should, in f32.
TEST_P(OpCheck, LargeValues) {
  if (!row().large) return;
  const NoGrad guard;
  const Sample sample = row().large();
  const DType dtype = row().f64_only ? DType::f64 : DType::f32;
  Tensors inputs = leaves(sample.inputs, dtype), rounded;
  for (const Tensor& x : inputs) rounded.push_back(floating(x) ? x.to(DType::f64) : x);
  const Tensors got = sample.run(inputs), expected = sample.reference(rounded);
  for (size_t i = 0; i < got.size(); ++i) {
    // Sums of n terms in a tree: the bound grows with the root of what each carries at most.
    const double scale = std::max(row().scale, row().scale > 0 ? largest(expected[i]) : 0.0);
    expect_near(got[i], expected[i], 4 * row().ulps * epsilon(got[i].dtype()), scale);
  }
}

// One sample an operator, with what PyTorch computed for it: tests/interop/operators.py compares
// all of them where PyTorch is at hand, and wrote these. 1e-7 is its own tolerance for f64.
TEST_P(OpCheck, AgreesWithPyTorch) {
  static const std::map<std::string, Tensor> golden =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/operators.safetensors");
  bool has_call = false, compared = false;
  for (const Sample& sample : row().samples) {
    has_call = has_call || !row().torch.empty() || !sample.torch.empty();
    const std::string key = row().name + ": " + sample.name + " ";
    if (golden.count(key + "out0") == 0) continue;
    SCOPED_TRACE(sample.name);
    compared = true;
    const Tensors x = leaves(sample.inputs), y = sample.run(x);
    Tensors outputs, directions;
    for (size_t i = 0; i < y.size(); ++i) {
      const std::string place = std::to_string(i);
      expect_near(y[i], golden.at(key + "out" + place), 1e-7, 1);
      const auto dy = golden.find(key + "dy" + place);
      if (dy == golden.end()) continue;
      outputs.push_back(y[i]);
      directions.push_back(dy->second);
    }
    if (outputs.empty()) continue;
    backward(outputs, directions);
    for (size_t i = 0; i < x.size(); ++i) {
      const auto dx = golden.find(key + "d" + std::to_string(i));
      if (dx == golden.end()) continue;
      const Tensor own = x[i].grad().defined() ? x[i].grad() : zeros_like(x[i]);
      expect_near(own, dx->second, 1e-7, 1);
    }
  }
  EXPECT_EQ(compared, has_call) << "the golden file is older than the row: make it anew";
}

// As the user sees them: three at least, whole in golden/errors.tsv, which `operators_tool errors`
// prints.
TEST_P(OpCheck, Errors) {
  EXPECT_GE(row().errors.size(), 3u);
  static const std::map<std::string, std::string> golden = [] {
    std::map<std::string, std::string> texts;
    std::ifstream in(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/errors.tsv");
    for (std::string line; std::getline(in, line);) {
      const size_t end = line.rfind('\t');
      texts[line.substr(0, end)] = line.substr(end + 1);
    }
    return texts;
  }();
  for (const catalog::ErrorCase& wrong : row().errors) {
    SCOPED_TRACE(wrong.name);
    const std::string text = numeric::message_of<Error>(wrong.call);
    const auto expected = golden.find(row().name + '\t' + wrong.name);
    EXPECT_EQ(text, expected == golden.end() ? "(not in the golden file)" : expected->second);
    for (const std::string& part : wrong.says) {
      EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
    }
    EXPECT_EQ(text.find('\n'), std::string::npos) << "more than one line: " << text;
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& row) { return row.param; }
INSTANTIATE_TEST_SUITE_P(Catalog, OpCheck, testing::ValuesIn(names()), test_name);

// --- completeness ---

std::vector<std::string> lines_of(const std::string& header) {
  std::ifstream in(std::string(ADJOINT_SOURCE_DIR) + "/core/" + header);
  EXPECT_TRUE(in.good()) << header << " could not be read";
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The functions that a header declares: a result and a name at the start of a line. Overloads that
// are written inline only forward to those.
std::set<std::string> declared(const std::string& header) {
  const std::regex function("^(?!inline |template|const char)[A-Za-z][\\w:<>, ]* (\\w+)\\(.*");
  std::set<std::string> found;
  std::smatch match;
  for (const std::string& line : lines_of(header)) {
    if (std::regex_match(line, match, function)) found.insert(match[1]);
  }
  return found;
}

// Those of all the headers that ops.h gathers.
std::set<std::string> declared_operators() {
  const std::regex include("#include <adjoint/core/(\\w+\\.h)>");
  std::set<std::string> found;
  std::smatch match;
  for (const std::string& line : lines_of("ops.h")) {
    if (std::regex_match(line, match, include)) found.merge(declared(match[1]));
  }
  return found;
}

TEST(Catalog, EveryOperatorHasARow) {
  const std::set<std::string> operators = declared_operators(), in_place = declared("inplace.h");
  EXPECT_GT(operators.size(), 120u);
  EXPECT_GT(in_place.size(), 5u);
  std::set<std::string> known = operators;
  known.insert(in_place.begin(), in_place.end());
  std::set<std::string> rows;
  for (const Row& row : all_rows()) {
    EXPECT_TRUE(rows.insert(row.name).second) << row.name << " has two rows";
    EXPECT_TRUE(known.count(row.name) > 0) << row.name << " is no operator of ops.h or inplace.h";
  }
  for (const std::string& name : known) {
    EXPECT_TRUE(rows.count(name) > 0) << name << " has no row in core/catalog";
  }
}

TEST(Catalog, UnknownNamesAreErrors) {
  EXPECT_EQ(catalog::row("softmax").name, "softmax");
  const std::string text = numeric::message_of<ConfigError>([] { catalog::row("softmux"); });
  EXPECT_EQ(text, "catalogue: no operator 'softmux'");
}

}  // namespace
}  // namespace adjoint
