// Every row of the module table (tests/nn/modules): PyTorch's results, a census, copies, state,
// modes and gradients. tests/interop/modules.py wrote the golden file.
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/nn/functional_call.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "tests/core/numeric.h"
#include "tests/nn/modules/table.h"

namespace adjoint::nn {
namespace {

using table::Made;
using table::Row;
using table::Tensors;

const std::vector<Row>& rows() {
  static const std::vector<Row> all = table::rows();
  return all;
}

const SafetensorsFile& golden() {
  static const SafetensorsFile file =
      SafetensorsFile::open(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/modules.safetensors");
  return file;
}

std::string metadata(const std::string& what, const Row& row) {
  return golden().metadata(what + ":" + row.torch).value_or("(no row in the golden file)");
}

Tensors without_graph(const Row& row, const ModuleBase& module, const Tensors& inputs) {
  const NoGrad no_grad;
  manual_seed(3);
  return row.call(module, inputs);
}

void expect_same(const Tensors& a, const Tensors& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) numeric::expect_same_bits(a[i], b[i], what);
}

// Sums of some tens of terms around 1: rounding of some tens of epsilons, of the largest element.
void expect_golden(const Tensor& x, const Tensor& expected, const std::string& what) {
  const double epsilon = x.dtype() == DType::f32
                             ? static_cast<double>(std::numeric_limits<float>::epsilon())
                             : std::numeric_limits<double>::epsilon();
  numeric::expect_close_to_largest(x, expected, 64 * epsilon, what);
}

TEST(ModuleTable, IsPyTorchs) {
  const std::map<std::string, Tensor> expected =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/modules.safetensors");
  std::set<std::string> used;
  for (const Row& row : rows()) {
    for (const DType dtype : {DType::f64, DType::f32}) {
      SCOPED_TRACE(row.torch + (dtype == DType::f64 ? " in f64" : " in f32"));
      const std::map<std::string, Tensor> ours = table::run(row, dtype);
      for (const auto& [name, x] : ours) {
        if (name.starts_with("state/") || name.starts_with("in") || name.starts_with("dy"))
          continue;
        const std::string key = row.torch + "/" + name;
        const auto found = expected.find(key);
        if (found != expected.end()) {
          used.insert(key);
          expect_golden(x, found->second, name);
        } else if (name.starts_with("after/")) {
          numeric::expect_same_bits(x, ours.at("state/" + name.substr(6)), name);
        } else {
          ASSERT_TRUE(name.starts_with("eval")) << "PyTorch has no " << name;
          expect_golden(x, ours.at("out" + name.substr(4)), name);
        }
      }
    }
  }
  for (const auto& [key, x] : expected) EXPECT_TRUE(used.contains(key)) << "we have no " << key;
}

TEST(ModuleTable, PrintsNamesAndTrainsAsPyTorch) {
  std::set<std::string> seen;
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.torch);
    EXPECT_TRUE(seen.insert(row.torch).second) << "twice";
    const Made module = row.make();
    EXPECT_EQ(to_string(*module), metadata("print", row));
    std::string names, trainable;
    for (const auto& [name, x] : module->state_dict().tensors) {
      names += (names.empty() ? "" : ",") + name;
    }
    for (const NamedSlot& p : module->parameters()) {
      if (p.slot->trainable()) trainable += (trainable.empty() ? "" : ",") + p.name;
    }
    EXPECT_EQ(names, metadata("names", row));
    EXPECT_EQ(trainable, metadata("trainable", row));
  }
}

// Mean, root mean square and largest of as many initial values as PyTorch drew. The deviation of a
// mean of n is sigma / sqrt(n), that of a root mean square at most the same; the difference of two
// is held to 4.5 of its own. The largest of 4000 normal ones is 3.5 sigma, give or take 0.3: two of
// them are held to a third of it, where uniform ones have half as much.
TEST(ModuleTable, StartsAsPyTorch) {
  manual_seed(11);
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.torch);
    std::istringstream lines(metadata("spread", row));
    struct Spread {
      double mean, rms, largest;
      double n = 0, sum = 0, squares = 0, most = 0;
    };
    std::map<std::string, Spread> spreads;
    std::string name;
    double mean, rms, largest;
    while (lines >> name >> mean >> rms >> largest) spreads[name] = {mean, rms, largest};
    for (int64_t least = spreads.empty() ? 4000 : 0; least < 4000;) {
      least = 4000;
      for (const NamedSlot& p : row.make()->parameters()) {
        Spread& s = spreads.at(p.name);
        for (const double v : numeric::values(p.slot->stored())) {
          s.sum += v;
          s.squares += v * v;
          s.most = std::max(s.most, std::abs(v));
          ++s.n;
        }
        least = std::min(least, static_cast<int64_t>(s.n));
      }
    }
    for (const auto& [parameter, s] : spreads) {
      const double tolerance = 4.5 * std::sqrt(2 / s.n) * s.rms;
      EXPECT_NEAR(s.sum / s.n, s.mean, tolerance) << parameter;
      EXPECT_NEAR(std::sqrt(s.squares / s.n), s.rms, tolerance) << parameter;
      EXPECT_NEAR(s.most, s.largest, 0.35 * s.largest) << parameter;
    }
  }
}

TEST(ModuleTable, NamesEveryMemberAndCopies) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.torch);
    const SlotCensus census;
    const Made module = table::made(row, DType::f32);
    const int64_t members = visited_slots(*module);
    EXPECT_EQ(members, census.alive());
    EXPECT_NO_THROW(check_members(*module));
    const Tensors inputs = table::leaves(row, DType::f32);
    module->eval();
    const Tensors before = without_graph(row, *module, inputs);
    const Made copy = module->clone();
    EXPECT_EQ(visited_slots(*copy), members);
    EXPECT_EQ(census.alive(), 2 * members);
    EXPECT_FALSE(copy->is_training());
    for (const auto& slots : {copy->parameters(), copy->buffers()}) {
      for (const NamedSlot& s : slots) s.slot->write(ones(s.slot->shape(), s.slot->dtype()));
    }
    expect_same(without_graph(row, *module, inputs), before,
                "the original after the copy's change");
    copy->assign(*module);
    expect_same(without_graph(row, *copy, inputs), before, "the copy after an assignment");
  }
}

TEST(ModuleTable, StateGoesRound) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.torch);
    const Tensors inputs = table::leaves(row, DType::f32);
    const Made module = table::made(row, DType::f32), other = row.make();
    without_graph(row, *module, inputs);  // running statistics move
    other->to(DType::f32);
    EXPECT_TRUE(other->load_state_dict(module->state_dict().to_map()).ok());
    module->eval();
    other->eval();
    expect_same(without_graph(row, *other, inputs), without_graph(row, *module, inputs), "loaded");
  }
}

TEST(ModuleTable, ModesDiffer) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.torch);
    const Tensors inputs = table::leaves(row, DType::f32);
    const Made module = table::made(row, DType::f32);
    EXPECT_TRUE(module->is_training());
    const auto draw = [&](uint64_t seed) {
      const NoGrad no_grad;
      manual_seed(seed);
      return row.call(*module, inputs);
    };
    const Tensors trained = draw(1);
    if (row.random) {
      expect_same(draw(1), trained, "the same seed");
      EXPECT_NE(numeric::values(draw(2)[0]), numeric::values(trained[0]));
    } else {
      expect_same(draw(2), trained, "no random numbers");
    }
    module->eval();
    EXPECT_FALSE(module->is_training());
    const Tensors evaluated = draw(1);
    expect_same(draw(2), evaluated, "evaluated again");
    // What only training changes is what the state says, and what is random.
    if (row.random || golden().find(row.torch + "/eval0")) {
      EXPECT_NE(numeric::values(evaluated[0]), numeric::values(trained[0]));
    } else {
      expect_same(evaluated, trained, "evaluated");
    }
  }
}

TEST(ModuleTable, GradientsByDifferences) {
  for (const Row& row : rows()) {
    if (!row.gradcheck) continue;
    SCOPED_TRACE(row.torch);
    const Made module = table::made(row, DType::f64);
    module->train(!row.random);
    const std::vector<NamedSlot> slots = module->parameters();
    const Tensors inputs = table::leaves(row, DType::f64);
    Tensors varied = values_of(slots);
    for (const Tensor& x : inputs) {
      if (x.requires_grad()) varied.push_back(x);
    }
    if (varied.empty()) continue;
    const auto f = [&](const Tensors& values) -> Tensors {
      const auto end = values.begin() + static_cast<int64_t>(slots.size());
      const ReplacedValues replaced(slots, Tensors(values.begin(), end));
      Tensors given = inputs;
      auto next = end;
      for (Tensor& x : given) {
        if (x.requires_grad()) x = *next++;
      }
      Tensors differentiable;
      for (const Tensor& y : row.call(*module, given)) {
        if (is_floating_point(y.dtype())) differentiable.push_back(y);
      }
      return differentiable;
    };
    const GradcheckReport report = gradcheck(f, varied, kTightGradcheck);
    EXPECT_TRUE(report.passed) << report.message;
  }
}

}  // namespace
}  // namespace adjoint::nn
