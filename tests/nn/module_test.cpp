// Modules as values: copies, moves, assignments, ties; the visits that are written once for all.
#include <adjoint/core/activations.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/position.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/nn/transformer.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using numeric::expect_same_bits;
using numeric::message_of;

static_assert(std::is_nothrow_move_constructible_v<Parameter>);
static_assert(std::is_nothrow_move_constructible_v<Buffer>);
static_assert(std::is_nothrow_move_constructible_v<Linear>);
static_assert(std::is_nothrow_move_constructible_v<TransformerBlock>);
static_assert(std::is_nothrow_move_constructible_v<Sequential>);
static_assert(std::is_nothrow_move_constructible_v<AnyModule>);
static_assert(std::is_copy_assignable_v<Linear> && std::is_copy_assignable_v<Sequential>);

struct Mlp : Module<Mlp> {
  Linear fc1, fc2;
  Mlp(int64_t in, int64_t hidden, int64_t out) : fc1(in, hidden), fc2(hidden, out) {}
  Tensor forward(const Tensor& x) const { return fc2(gelu(fc1(x))); }
  void members(Visitor& v) override {
    v("fc1", fc1);
    v("fc2", fc2);
  }
};
static_assert(std::is_nothrow_move_constructible_v<Mlp>);

// Blocks in a vector, a member that may be missing, a buffer, and two tied weights.
struct Net : Module<Net> {
  Embedding embed{5, 3};
  std::vector<Linear> blocks;
  std::optional<LayerNorm> norm;
  Linear head{3, 5, {.bias = false}};
  Buffer calls{zeros({1})};

  explicit Net(int64_t count, bool with_norm = true) {
    for (int64_t i = 0; i < count; ++i) blocks.emplace_back(3, 3);
    if (with_norm) norm.emplace(3);
  }
  Tensor forward(const Tensor& ids) const {
    Tensor x = embed(ids);
    for (const Linear& block : blocks) x = x + block(x);
    return head(norm ? (*norm)(x) : x);
  }
  void members(Visitor& v) override {
    v("embed", embed);
    v("blocks", blocks);
    v("norm", norm);
    v("head", head);
    v("calls", calls);
    v.tie(head.weight, embed.weight);
  }
};

Tensor ids() { return tensor<int64_t>({0, 3, 1, 4}, {2, 2}); }

std::vector<double> flat(const Parameter& p) { return numeric::values(p); }

std::vector<std::string> names(const std::vector<NamedSlot>& slots) {
  std::vector<std::string> result;
  for (const NamedSlot& s : slots) result.push_back(s.name);
  return result;
}

// --- handles on slots ---

TEST(Parameter, CopyIsANewSlotWithTheSameValueAndFlags) {
  const Parameter a(ones({2, 3}));
  a.set_grad(ones({2, 3}));
  a.requires_grad_(false);
  const Parameter b = a;
  EXPECT_NE(b.slot(), a.slot());
  EXPECT_FALSE(b.requires_grad());
  EXPECT_FALSE(b.grad().defined());
  b.set_data(zeros({2, 3}));
  EXPECT_EQ(flat(a), std::vector<double>(6, 1.0));
}

TEST(Parameter, MoveTakesTheSlot) {
  Parameter a(ones({2}));
  const SlotRef slot = a.slot();
  const Parameter b = std::move(a);
  EXPECT_EQ(b.slot(), slot);
  EXPECT_FALSE(a.defined());  // NOLINT(bugprone-use-after-move): what is tested
}

TEST(Parameter, AssignmentWritesIntoTheSlotThatIsThere) {
  Parameter a(ones({2}));
  const Parameter b(full({2}, 3.0));
  const SlotRef slot = a.slot();
  const Tensor stored = a;
  a = b;
  EXPECT_EQ(a.slot(), slot);
  EXPECT_EQ(numeric::values(stored), (std::vector<double>{3, 3}));
  a = Parameter(full({2}, 4.0));  // from a temporary, too
  EXPECT_EQ(a.slot(), slot);
  EXPECT_EQ(numeric::values(stored), (std::vector<double>{4, 4}));
  a = *&a;
  EXPECT_EQ(flat(a), (std::vector<double>{4, 4}));
}

TEST(Parameter, AssignmentOfAnotherShapeOrDtypeKeepsTheSlot) {
  Parameter a(ones({2}));
  const SlotRef slot = a.slot();
  a = Parameter(zeros({3, 1}, DType::f64));
  EXPECT_EQ(a.slot(), slot);
  EXPECT_EQ(slot->shape(), (Shape{3, 1}));
  EXPECT_EQ(slot->dtype(), DType::f64);
  EXPECT_TRUE(slot->trainable());
}

TEST(Parameter, AssignmentOfAndToUndefinedOnes) {
  Parameter a, b(ones({2}));
  a = b;
  EXPECT_TRUE(a.defined());
  EXPECT_NE(a.slot(), b.slot());
  b = Parameter();
  EXPECT_FALSE(b.defined());
}

TEST(Parameter, UndefinedIsAnUndefinedTensorAndSaysSo) {
  const Parameter none;
  EXPECT_FALSE(Tensor(none).defined());
  EXPECT_EQ(message_of<Error>([&] { none.numel(); }),
            "Parameter: undefined; expected a parameter or buffer with a value");
  EXPECT_EQ(message_of<Error>([] { Parameter{Tensor()}; }),
            "Slot: the value is undefined; expected a tensor with elements");
  const Parameter p(ones({2}));
  EXPECT_EQ(message_of<ShapeError>([&] { p.set_data(ones({3})); }),
            "set_data: shape (3,); expected the slot's shape (2,)");
}

TEST(Slot, TakesElementsOnlyIfNobodySeesThem) {
  const Tensor x = ones({2, 2});
  const Parameter whole(x), part(select(x, 0, 1));
  whole.set_data(zeros({2, 2}));
  part.set_data(zeros({2}));
  EXPECT_EQ(numeric::values(x), std::vector<double>(4, 1.0));
}

TEST(Slot, BuffersAreNotTrained) {
  const Buffer b(ones({2}));
  EXPECT_FALSE(b.slot()->trainable());
  EXPECT_EQ(message_of<AutogradError>([&] { b.slot()->set_trainable(true); }),
            "set_trainable: the slot of shape (2,) is a buffer; expected a parameter");
  const Parameter integers(arange(3));
  EXPECT_FALSE(integers.requires_grad());
}

TEST(Slot, ValueMayBeComputed) {
  const Parameter p(full({2}, 2.0));
  Slot::Compute before = p.slot()->set_compute([](const Tensor& w) { return w * 3.0; });
  EXPECT_TRUE(p.slot()->computed());
  Tensor(p).sum().backward();
  EXPECT_EQ(numeric::values(p), (std::vector<double>{6, 6}));
  EXPECT_EQ(numeric::values(p.grad()), (std::vector<double>{3, 3}));
  EXPECT_FALSE(Parameter(p).slot()->computed());
  p.slot()->set_compute(std::move(before));
  EXPECT_EQ(numeric::values(p), (std::vector<double>{2, 2}));
}

TEST(Slot, CastTakesTheGradientAlong) {
  const Parameter p(ones({2}));
  p.set_grad(full({2}, 0.5));
  p.slot()->cast(DType::f64);
  EXPECT_EQ(p.grad().dtype(), DType::f64);
  EXPECT_EQ(numeric::values(p.grad()), (std::vector<double>{0.5, 0.5}));
  EXPECT_TRUE(p.requires_grad());
}

// --- modules ---

TEST(Module, CopyIsAModelOfItsOwn) {
  const Mlp a(3, 4, 2);
  const Mlp b = a;
  const Tensor x = numeric::random({5, 3}, 1, DType::f32);
  expect_same_bits(a(x), b(x));
  b.fc1.weight.set_data(zeros({4, 3}));
  EXPECT_NE(flat(a.fc1.weight), flat(b.fc1.weight));
  for (size_t i = 0; i < 4; ++i) EXPECT_NE(a.parameters()[i].slot, b.parameters()[i].slot);
}

TEST(Module, MoveKeepsSlotsHooksAndOptimizers) {
  Mlp a(3, 4, 2);
  int calls = 0;
  HookHandle handle = a.register_forward_hook([&](auto&...) { ++calls; });
  optim::SGD optimizer(a.parameters(), {.lr = 1.0});
  const std::vector<NamedSlot> before = a.parameters();
  Mlp b = std::move(a);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(b.parameters()[i].slot, before[i].slot);
  const std::vector<double> bias = flat(b.fc2.bias);
  b(ones({1, 3})).sum().backward();
  optimizer.step();
  EXPECT_DOUBLE_EQ(flat(b.fc2.bias)[0], static_cast<float>(bias[0] - 1));
  EXPECT_EQ(calls, 1);
  handle.remove();
  b(ones({1, 3}));
  EXPECT_EQ(calls, 1);
}

TEST(Module, AssignmentLeavesOptimizersValid) {
  Mlp a(3, 4, 2);
  const Mlp b(3, 4, 2);
  optim::SGD optimizer(a.parameters(), {.lr = 0.5});
  const std::vector<NamedSlot> before = a.parameters();
  a = b;
  a = Mlp(b);  // a temporary is copied from, not moved from
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(a.parameters()[i].slot, before[i].slot);
  EXPECT_EQ(flat(a.fc1.weight), flat(b.fc1.weight));
  a(ones({1, 3})).sum().backward();
  optimizer.step();
  EXPECT_NE(flat(a.fc1.weight), flat(b.fc1.weight));
}

TEST(Module, AssignmentReachesVectorsAndOptionals) {
  Net a(2);
  const Net b(2);
  const std::vector<NamedSlot> before = a.parameters();
  a = Net(b);
  const std::vector<NamedSlot> after = a.parameters();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].slot, before[i].slot);
  expect_same_bits(a(ids()), b(ids()));
  a = Net(3, false);  // takes the form of another one
  EXPECT_EQ(a.blocks.size(), 3u);
  EXPECT_FALSE(a.norm.has_value());
}

TEST(Module, AVectorOfModulesGrowsWithoutNewSlots) {
  std::vector<Linear> blocks;
  blocks.emplace_back(2, 2);
  const SlotRef first = blocks[0].weight.slot();
  for (int i = 0; i < 100; ++i) blocks.emplace_back(2, 2);
  EXPECT_EQ(blocks[0].weight.slot(), first);
}

TEST(Module, CloneAndAssignThroughTheBase) {
  const Mlp a(3, 4, 2);
  const std::unique_ptr<ModuleBase> b = a.clone();
  const Tensor x = ones({1, 3});
  expect_same_bits(b->call(x), a(x));
  Mlp c(3, 4, 2);
  const SlotRef slot = c.fc1.weight.slot();
  c.assign(*b);
  EXPECT_EQ(c.fc1.weight.slot(), slot);
  expect_same_bits(c(x), a(x));
  EXPECT_EQ(message_of<Error>([&] { c.assign(Linear(1, 1)); }),
            "assign: a Linear to a Mlp; expected modules of one type");
}

struct Unique : Module<Unique> {
  std::unique_ptr<Linear> inner = std::make_unique<Linear>(2, 2);
  Tensor forward(const Tensor& x) const { return (*inner)(x); }
  void members(Visitor& v) override { v("inner", inner); }
};

TEST(Module, WhatCannotBeCopiedSaysSo) {
  Unique a, b;
  EXPECT_EQ(names(a.parameters()), (std::vector<std::string>{"inner.weight", "inner.bias"}));
  EXPECT_EQ(message_of<Error>([&] { a.clone(); }),
            "clone: Unique cannot be copied; expected a module of copyable members");
  EXPECT_EQ(message_of<Error>([&] { a.assign(b); }),
            "assign: Unique cannot be copied; expected a module of copyable members");
}

// --- ties ---

TEST(Ties, CountOnceUnderTheFirstName) {
  const Net net(1);
  EXPECT_EQ(names(net.parameters()),
            (std::vector<std::string>{"embed.weight", "blocks.0.weight", "blocks.0.bias",
                                      "norm.weight", "norm.bias"}));
  EXPECT_EQ(net.parameter_count(), 15 + 9 + 3 + 3 + 3);
  EXPECT_EQ(net.head.weight.slot(), net.embed.weight.slot());
}

TEST(Ties, SurviveCopiesLoadsAndCasts) {
  Net a(1);
  EXPECT_EQ(a.parameters().size(), 5u);
  Net b = a;
  EXPECT_EQ(b.parameters().size(), 5u);
  EXPECT_EQ(b.head.weight.slot(), b.embed.weight.slot());
  EXPECT_NE(b.head.weight.slot(), a.head.weight.slot());
  b.to(DType::f64);
  EXPECT_EQ(b.head.weight.slot(), b.embed.weight.slot());
  EXPECT_EQ(b.embed.weight.dtype(), DType::f64);
  b.load_state_dict(Net(1).state_dict());
  EXPECT_EQ(b.head.weight.slot(), b.embed.weight.slot());
  const Net c = std::move(b);
  EXPECT_EQ(c.head.weight.slot(), c.embed.weight.slot());
}

TEST(Ties, AreMadeByTheFirstCall) {
  // Neither a new model nor a copy was visited; its gradient must reach the one tied weight.
  const Net fresh(1);
  const Tensor y = fresh(ids());
  EXPECT_EQ(fresh.head.weight.slot(), fresh.embed.weight.slot());
  const Net copy = fresh;
  const Net twin = fresh;
  expect_same_bits(copy(ids()), y);
  copy(ids()).sum().backward();
  const Tensor early = copy.parameters()[0].slot->grad();
  const std::vector<NamedSlot> visited = twin.parameters();
  twin(ids()).sum().backward();
  expect_same_bits(early, visited[0].slot->grad());
}

TEST(Ties, AreMadeAgainAfterAnAssignmentThatBringsMembers) {
  struct Optional : Module<Optional> {
    Parameter a{ones({2})};
    std::optional<Parameter> b;
    Tensor forward(const Tensor& x) const { return b ? x * a.value() * b->value() : x * a.value(); }
    void members(Visitor& v) override {
      v("a", a);
      v("b", b);
      if (b) v.tie(*b, a);
    }
  };
  Optional one, two;
  two.b.emplace(zeros({2}));
  two(ones({2}));
  one(ones({2}));
  one = two;
  one(ones({2}));
  EXPECT_EQ(one.b->slot(), one.a.slot());
}

TEST(Ties, CostACallNothingOnceTheyAreMade) {
  struct Counting : Module<Counting> {
    int visits = 0;
    Tensor forward(const Tensor& x) const { return x; }
    void members(Visitor&) override { ++visits; }
  };
  Counting m;
  m(ones({1}));
  const int first = m.visits;
  EXPECT_GE(first, 1);
  for (int i = 0; i < 5; ++i) m(ones({1}));
  EXPECT_EQ(m.visits, first);
}

TEST(Ties, SeveralThreadsMayBeTheFirstToCall) {
  for (int round = 0; round < 20; ++round) {
    const Net net(2);
    std::vector<Tensor> results(4);
    std::vector<std::thread> threads;
    for (Tensor& result : results) {
      threads.emplace_back([&net, &result] { result = net(ids()); });
    }
    for (std::thread& t : threads) t.join();
    for (const Tensor& result : results) expect_same_bits(result, results[0]);
  }
}

TEST(Ties, OfTheWrongShapeNameBoth) {
  struct Wrong : Module<Wrong> {
    Linear a{2, 3}, b{3, 2};
    Tensor forward(const Tensor& x) const { return x; }
    void members(Visitor& v) override {
      v("a", a);
      v("b", b);
      v.tie(a.weight, b.weight);
    }
  };
  EXPECT_EQ(message_of<ShapeError>([] { Wrong().parameters(); }),
            "tie: shapes (3, 2) and (2, 3) in the model; expected the same shape");
  struct Holder : Module<Holder> {
    std::vector<Wrong> inner = std::vector<Wrong>(1);
    Tensor forward(const Tensor& x) const { return x; }
    void members(Visitor& v) override { v("inner", inner); }
  };
  EXPECT_EQ(message_of<ShapeError>([] { Holder()(ones({1})); }),
            "tie: shapes (3, 2) and (2, 3) in inner.0; expected the same shape");
  struct Undefined : Module<Undefined> {
    Parameter a, b;
    Tensor forward(const Tensor& x) const { return x; }
    void members(Visitor& v) override { v.tie(a, b); }
  };
  EXPECT_EQ(message_of<Error>([] { Undefined().parameters(); }),
            "tie: an undefined parameter in the model; expected two that have values");
}

// --- visits ---

struct Encoder : Module<Encoder> {
  struct Attention : Module<Attention> {
    Linear q_proj{3, 3};
    Tensor forward(const Tensor& x) const { return q_proj(x); }
    void members(Visitor& v) override { v("q_proj", q_proj); }
  };
  struct Layer : Module<Layer> {
    Attention attn;
    Tensor forward(const Tensor& x) const { return attn(x); }
    void members(Visitor& v) override { v("attn", attn); }
  };
  struct Stack : Module<Stack> {
    std::vector<Layer> encoder = std::vector<Layer>(3);
    mutable std::string seen;
    Tensor forward(const Tensor& x) const {
      Tensor y = x;
      for (const Layer& layer : encoder) y = layer(y);
      return y;
    }
    void members(Visitor& v) override { v("encoder", encoder); }
  };
  Tensor forward(const Tensor& x) const { return x; }
};
using Stack = Encoder::Stack;

TEST(Visits, ErrorsNameTheInnermostModule) {
  Stack stack;
  stack.encoder[2].attn.q_proj = Linear(4, 3);
  const std::string message = message_of<ShapeError>([&] { stack(ones({2, 3})); });
  EXPECT_TRUE(message.ends_with(" (in module encoder.2.attn.q_proj)")) << message;
  EXPECT_EQ(message.find("(in module"), message.rfind("(in module")) << message;
}

TEST(Visits, ErrorsOfTheUsersOwnKeepTheirTypes) {
  struct Special : ShapeError {
    int code;
    explicit Special(int c) : ShapeError("special"), code(c) {}
  };
  struct Thrower : Module<Thrower> {
    Tensor forward(const Tensor&) const { throw Special(7); }
  };
  try {
    Thrower()(ones({1}));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Special& e) {
    EXPECT_EQ(e.code, 7);
    EXPECT_STREQ(e.what(), "special");
  }
  struct Stranger : Module<Stranger> {
    Tensor forward(const Tensor&) const { throw std::bad_alloc(); }
  };
  EXPECT_THROW(Stranger()(ones({1})), std::bad_alloc);
  EXPECT_EQ(current_module(), nullptr);
}

TEST(Visits, CurrentModulePathFollowsTheCalls) {
  struct Probe : Module<Probe> {
    std::vector<std::string>* seen = nullptr;
    Tensor forward(const Tensor& x) const {
      seen->push_back(current_module_path());
      EXPECT_EQ(current_module(), this);
      return x;
    }
  };
  struct Root : Module<Root> {
    std::vector<std::string> seen;
    std::vector<Probe> probes = std::vector<Probe>(2);
    Tensor forward(const Tensor& x) const {
      auto* out = const_cast<std::vector<std::string>*>(&seen);
      out->push_back(current_module_path());
      Probe stranger;
      stranger.seen = out;
      return stranger(probes[1](x));
    }
    void members(Visitor& v) override { v("probes", probes); }
  };
  Root root;
  for (Probe& p : root.probes) p.seen = &root.seen;
  root(ones({1}));
  EXPECT_EQ(root.seen, (std::vector<std::string>{"Root", "probes.1", "Root.Probe"}));
  EXPECT_EQ(current_module_path(), "");
}

TEST(Visits, ModulesInOrderAndApplyFromBelow) {
  Stack stack;
  stack.encoder.resize(1);
  std::vector<std::string> found;
  for (const NamedModule& m : stack.named_modules()) found.push_back(m.name);
  EXPECT_EQ(found,
            (std::vector<std::string>{"", "encoder.0", "encoder.0.attn", "encoder.0.attn.q_proj"}));
  std::vector<std::string> applied;
  stack.apply([&](ModuleBase& m) { applied.push_back(m.type_name()); });
  EXPECT_EQ(applied, (std::vector<std::string>{"Linear", "Attention", "Layer", "Stack"}));
  EXPECT_EQ(module_path(stack, stack.encoder[0].attn), "encoder.0.attn");
  EXPECT_EQ(module_path(stack, stack), "");
  EXPECT_EQ(module_path(stack, Linear(1, 1)), std::nullopt);
}

TEST(Visits, TrainAndEvalReachEveryModuleAndAreCopied) {
  Stack stack;
  EXPECT_TRUE(stack.encoder[1].attn.q_proj.is_training());
  stack.eval();
  for (const NamedModule& m : stack.named_modules()) EXPECT_FALSE(m.module->is_training());
  Stack copy = stack;
  EXPECT_FALSE(copy.encoder[1].attn.is_training());
  copy.train();
  EXPECT_TRUE(copy.encoder[2].is_training());
  EXPECT_FALSE(stack.encoder[2].is_training());
}

TEST(Visits, RequiresGradAndZeroGrad) {
  Mlp m(3, 4, 2);
  m(ones({1, 3})).sum().backward();
  EXPECT_TRUE(m.fc1.weight.grad().defined());
  m.zero_grad();
  for (const NamedSlot& p : m.parameters()) EXPECT_FALSE(p.slot->grad().defined()) << p.name;
  m.fc1.requires_grad_(false);
  m(ones({1, 3})).sum().backward();
  EXPECT_FALSE(m.fc1.weight.grad().defined());
  EXPECT_TRUE(m.fc2.weight.grad().defined());
  EXPECT_EQ(m.parameter_count(), 12 + 4 + 8 + 2);
  m.requires_grad_();
  EXPECT_TRUE(m.fc1.bias.requires_grad());
}

TEST(Visits, ToCastsParametersAndBuffers) {
  Net net(1);
  net.to(DType::f64);
  EXPECT_EQ(net.calls.dtype(), DType::f64);
  EXPECT_EQ(net(ids()).dtype(), DType::f64);
  EXPECT_EQ(message_of<DTypeError>([&] { net.to(DType::i64); }),
            "to: dtype i64; expected a floating dtype");
}

// --- state dictionaries ---

TEST(StateDict, HoldsNamesInOrderAliasesAndBuffers) {
  const Net net(1);
  const StateDict state = net.state_dict();
  std::vector<std::string> found;
  for (const auto& [name, value] : state.tensors) found.push_back(name);
  EXPECT_EQ(found, (std::vector<std::string>{"embed.weight", "blocks.0.weight", "blocks.0.bias",
                                             "norm.weight", "norm.bias", "calls"}));
  EXPECT_EQ(state.aliases, (std::map<std::string, std::string>{{"head.weight", "embed.weight"}}));
  expect_same_bits(state.find("head.weight"), net.embed.weight);
  EXPECT_FALSE(state.find("nothing").defined());
  EXPECT_FALSE(state.find("calls").requires_grad());
  // It shares the model's elements.
  fill_(state.find("norm.bias"), 2.0);
  EXPECT_EQ(flat(net.norm->bias), (std::vector<double>{2, 2, 2}));
}

TEST(StateDict, LoadsWhatAnotherModelSaved) {
  const Net a(2);
  Net b(2);
  const std::vector<NamedSlot> before = b.parameters();
  EXPECT_TRUE(b.load_state_dict(a.state_dict()).ok());
  expect_same_bits(b(ids()), a(ids()));
  EXPECT_EQ(b.parameters()[0].slot, before[0].slot);
  b.to(DType::f64);  // cast to the model's dtype
  EXPECT_TRUE(b.load_state_dict(a.state_dict()).ok());
  EXPECT_EQ(flat(b.head.weight), flat(a.head.weight));
}

TEST(StateDict, WhenStrictNothingIsWrittenUnlessAllFits) {
  Mlp m(2, 3, 1);
  const std::vector<double> before = flat(m.fc1.weight);
  std::map<std::string, Tensor> state = m.state_dict().to_map();
  state["fc1.weight"] = zeros({3, 2});
  state["fc2.weight"] = zeros({3, 1});
  state.erase("fc2.bias");
  state["fc3.bias"] = zeros({1});
  EXPECT_EQ(message_of<Error>([&] { m.load_state_dict(state); }),
            "load_state_dict: the state does not fit Mlp: missing: fc2.bias; unexpected: fc3.bias; "
            "mismatched: fc2.weight: shape (3, 1); expected (1, 3); nothing was loaded");
  EXPECT_EQ(flat(m.fc1.weight), before);
  state["fc2.weight"] = zeros({1, 3}, DType::i64);
  const std::vector<double> fc2 = flat(m.fc2.weight);
  const LoadReport report = m.load_state_dict(state, false);
  EXPECT_EQ(report.missing, std::vector<std::string>{"fc2.bias"});
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"fc3.bias"});
  EXPECT_EQ(report.mismatched, std::vector<std::string>{"fc2.weight: dtype i64; expected f32"});
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(flat(m.fc1.weight), std::vector<double>(6, 0.0));
  EXPECT_EQ(flat(m.fc2.weight), fc2);
}

TEST(StateDict, OfTiedNamesOneIsEnoughAndTwoMustAgree) {
  Net net(0, false);
  const Tensor w = numeric::random({5, 3}, 1, DType::f32), calls = zeros({1});
  for (const char* name : {"embed.weight", "head.weight"}) {
    EXPECT_TRUE(net.load_state_dict({{name, w}, {"calls", calls}}).ok());
    expect_same_bits(net.embed.weight, w);
    fill_(net.embed.weight.slot()->stored().detach(), 0.0);
  }
  const std::map<std::string, Tensor> both{
      {"embed.weight", w}, {"head.weight", w.clone()}, {"calls", calls}};
  EXPECT_TRUE(net.load_state_dict(both).ok());
  std::map<std::string, Tensor> torn = both;
  torn["head.weight"] = w + 1.0;
  EXPECT_EQ(message_of<Error>([&] { net.load_state_dict(torn); }),
            "load_state_dict: the state does not fit Net: mismatched: head.weight: differs from "
            "embed.weight; expected the same values, for the model ties them; nothing was loaded");
  // NaN is the same as NaN here.
  const Tensor nan = full({5, 3}, NAN);
  EXPECT_TRUE(
      net.load_state_dict({{"embed.weight", nan}, {"head.weight", nan.clone()}, {"calls", calls}})
          .ok());
}

TEST(StateDict, BuffersThatDoNotPersistStayOut) {
  struct Tables : Module<Tables> {
    Buffer kept{ones({2})}, scratch{ones({3}), false};
    Tensor forward(const Tensor& x) const { return x; }
    void members(Visitor& v) override {
      v("kept", kept);
      v("scratch", scratch);
    }
  };
  const Tables a;
  EXPECT_EQ(a.state_dict().tensors.size(), 1u);
  EXPECT_EQ(names(a.buffers()), (std::vector<std::string>{"kept", "scratch"}));
  EXPECT_TRUE(a.parameters().empty());
  const Tables b = a;  // stays so in copies
  EXPECT_EQ(b.state_dict().tensors.size(), 1u);
}

TEST(StateDict, TwoMembersOfOneNameAreAnError) {
  struct Twice : Module<Twice> {
    Linear a{1, 1}, b{1, 1};
    Tensor forward(const Tensor& x) const { return x; }
    void members(Visitor& v) override {
      v("fc", a);
      v("fc", b);
    }
  };
  EXPECT_EQ(message_of<Error>([] { Twice().state_dict(); }),
            "members: Twice names two members \"fc.weight\"; expected a name for each");
}

TEST(Module, ABufferIsWrittenUnderAConstForward) {
  struct Counter : Module<Counter> {
    Buffer count{zeros({1}, DType::i64)};
    Tensor forward(const Tensor& x) const {
      if (is_training()) add_(count, 1);
      return x;
    }
    void members(Visitor& v) override { v("count", count); }
  };
  Counter c;
  c(ones({1}));
  c(ones({1}));
  c.eval();
  c(ones({1}));
  EXPECT_EQ(Tensor(c.count).item(), 2);
  EXPECT_EQ(c.state_dict().find("count").dtype(), DType::i64);
}

// --- Sequential, AnyModule ---

TEST(Sequential, CallsInOrderAndNamesByIndex) {
  Sequential net(Linear(3, 4), ReLU(), Linear(4, 2));
  EXPECT_EQ(names(net.parameters()),
            (std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias"}));
  const Tensor x = numeric::random({2, 3}, 1, DType::f32);
  expect_same_bits(net(x), net[2].call(relu(net[0].call(x))));
  Sequential outer(net, Linear(2, 2));
  EXPECT_EQ(names(outer.parameters())[0], "0.0.weight");
  EXPECT_NE(outer.parameters()[0].slot, net.parameters()[0].slot);
  EXPECT_EQ(message_of<IndexError>([&] { net[3]; }),
            "Sequential: index 3; expected one in [-3, 3)");
  net.push_back(Identity());
  EXPECT_EQ(net.size(), 4u);
  expect_same_bits(Sequential()(x), x);
}

TEST(Sequential, CopiesAndAssignsItsModules) {
  Sequential a(Linear(3, 4), ReLU());
  const Sequential b = a;
  EXPECT_NE(a.parameters()[0].slot, b.parameters()[0].slot);
  const SlotRef slot = a.parameters()[0].slot;
  a = Sequential(Linear(3, 4), ReLU());
  EXPECT_EQ(a.parameters()[0].slot, slot);
  EXPECT_NE(numeric::values(a.parameters()[0].slot->stored()),
            numeric::values(b.parameters()[0].slot->stored()));
  a = Sequential(ReLU(), Linear(3, 4));  // other types take the place
  EXPECT_EQ(names(a.parameters())[0], "1.weight");
}

TEST(Sequential, ErrorsNameTheElement) {
  const Sequential net(Linear(3, 4), Linear(5, 2));
  const std::string message = message_of<ShapeError>([&] { net(ones({1, 3})); });
  EXPECT_TRUE(message.ends_with("(in module 1)")) << message;
}

TEST(AnyModule, OfAModuleOfSeveralTensorsSaysSo) {
  struct Add : Module<Add> {
    Tensor forward(const Tensor& a, const Tensor& b) const { return a + b; }
  };
  const AnyModule any = Add();
  EXPECT_EQ(message_of<Error>([&] { any(ones({1})); }),
            "call: Add does not map one tensor to one tensor; expected a module that does, such "
            "as Linear");
  EXPECT_EQ(message_of<Error>([] { AnyModule(std::unique_ptr<ModuleBase>()); }),
            "AnyModule: no module; expected one");
}

// --- operator() ---

TEST(Call, OptionsInBraces) {
  const MultiHeadAttention attn(4, 2);
  const Tensor x = numeric::random({2, 3, 4}, 1, DType::f32);
  const MultiHeadAttentionForwardOptions causal{.is_causal = true};
  expect_same_bits(attn(x, x, x, {.is_causal = true}), attn.forward(x, x, x, causal));
  expect_same_bits(attn(x, {.is_causal = true}), attn.forward(x, causal));
}

TEST(Call, SeveralThreadsMayUseOneModel) {
  const TransformerBlock block(8, 2, {.dim_feedforward = 16, .dropout = 0.0});
  const Tensor x = numeric::random({2, 5, 8}, 1, DType::f32);
  const Tensor expected = block(x);
  expected.sum().backward();
  std::vector<Tensor> once;
  for (const NamedSlot& p : block.parameters()) once.push_back(p.slot->grad().clone());
  block.zero_grad();
  constexpr int kThreads = 4, kRounds = 8;
  std::vector<std::thread> threads;
  std::vector<int> wrong(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const Tensor y = block(x);
        if (max(abs(y - expected)).item() != 0) ++wrong[t];
        y.sum().backward();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(kThreads));
  const std::vector<NamedSlot> parameters = block.parameters();
  for (size_t i = 0; i < once.size(); ++i) {
    // 32 equal terms, each addition rounded to f32.
    numeric::expect_close(parameters[i].slot->grad(), once[i] * (1.0 * kThreads * kRounds), 4e-6,
                          parameters[i].name);
  }
}

struct Base : Module<Base> {
  Tensor forward(const Tensor& x) const { return x; }
};
struct Derived : Base {
  Tensor forward(const Tensor& x) const { return x * 2.0; }
};

TEST(Call, OfADerivedTypeIsAnError) {
  const Derived derived;
  EXPECT_EQ(message_of<Error>([&] { derived(ones({1})); }),
            "call: a Derived derives from a module of another type, whose forward would run; "
            "expected Derived to derive from nn::Module<Derived> itself (in module Derived)");
  EXPECT_THROW(derived.clone(), Error);
}

TEST(Call, ForwardMayReturnAnything) {
  struct Both : Module<Both> {
    std::pair<Tensor, std::vector<Tensor>> forward(const Tensor& x, int64_t n) const {
      return {x, std::vector<Tensor>(static_cast<size_t>(n), x)};
    }
  };
  const Both both;
  EXPECT_EQ(both(ones({1}), 3).second.size(), 3u);
  struct Sink : Module<Sink> {
    int64_t forward(const Tensor& x) const { return x.numel(); }
  };
  EXPECT_EQ(Sink()(ones({4})), 4);
}

// --- hooks ---

TEST(Hooks, RunInOrderAndReplaceInputsAndOutputs) {
  Linear m(2, 2, {.bias = false});
  m.weight.set_data(eye(2));
  std::string order;
  m.register_forward_pre_hook([&](const ModuleBase& module, std::vector<Tensor>& in) {
    EXPECT_EQ(&module, &m);
    order += 'a';
    in[0] = in[0] + 1.0;
  });
  m.register_forward_pre_hook([&](const ModuleBase&, std::vector<Tensor>& in) {
    order += 'b';
    in[0] = in[0] * 2.0;
  });
  m.register_forward_hook(
      [&](const ModuleBase&, const std::vector<Tensor>& in, std::vector<Tensor>& out) {
        order += 'c';
        EXPECT_EQ(in[0].impl() == nullptr, false);
        out[0] = out[0] - in[0] * 0.5;
      });
  m.register_forward_hook([&](const ModuleBase&, const auto&, std::vector<Tensor>& out) {
    order += 'd';
    out[0] = out[0] * 10.0;
  });
  // ((3 + 1) 2 - 4) 10
  EXPECT_EQ(numeric::values(m(full({1, 2}, 3.0))), (std::vector<double>{40, 40}));
  EXPECT_EQ(order, "abcd");
}

TEST(Hooks, SeeEveryTensorOfTheCall) {
  struct Pair : Module<Pair> {
    std::pair<Tensor, std::vector<Tensor>> forward(const Tensor& x, int64_t n,
                                                   const Tensor& y) const {
      return {x, {y, y * static_cast<double>(n)}};
    }
  };
  Pair m;
  size_t inputs = 0, outputs = 0;
  m.register_forward_hook([&](const ModuleBase&, const auto& in, auto& out) {
    inputs = in.size();
    outputs = out.size();
    out[2] = out[2] + 1.0;
  });
  const auto [x, rest] = m(ones({1}), 5, full({1}, 2.0));
  EXPECT_EQ(inputs, 2u);
  EXPECT_EQ(outputs, 3u);
  EXPECT_EQ(x.item(), 1);
  EXPECT_EQ(rest[1].item(), 11);
}

TEST(Hooks, SeeCallsWithOptions) {
  MultiHeadAttention attn(4, 2);
  const Tensor x = numeric::random({2, 3, 4}, 1, DType::f32);
  const Tensor plain = attn(x, x, x, {.is_causal = true});
  size_t inputs = 0;
  attn.register_forward_pre_hook([&](const ModuleBase&, auto& in) { inputs = in.size(); });
  expect_same_bits(attn(x, x, x, {.is_causal = true}), plain);
  EXPECT_EQ(inputs, 3u);
  expect_same_bits(attn(x, {.is_causal = true}), plain);
  EXPECT_EQ(inputs, 1u);
}

TEST(Hooks, AreRemovedByTheirHandlesAndByThemselves) {
  Base m;
  int first = 0, second = 0;
  HookHandle once;
  once = m.register_forward_pre_hook([&](const ModuleBase&, std::vector<Tensor>&) {
    ++first;
    once.remove();
  });
  HookHandle other =
      m.register_forward_pre_hook([&](const ModuleBase&, std::vector<Tensor>&) { ++second; });
  m(ones({1}));
  m(ones({1}));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  other.remove();
  other.remove();
  m(ones({1}));
  EXPECT_EQ(second, 2);
}

TEST(Hooks, MayOutliveTheModule) {
  HookHandle handle;
  {
    Base m;
    handle = m.register_forward_hook([](auto&...) {});
  }
  handle.remove();
}

TEST(Hooks, AreNotCopiedNorAssigned) {
  Base a;
  int calls = 0;
  a.register_forward_hook([&](auto&...) { ++calls; });
  Base b = a;
  b(ones({1}));
  EXPECT_EQ(calls, 0);
  b = a;
  b(ones({1}));
  EXPECT_EQ(calls, 0);
  a = b;
  a(ones({1}));
  EXPECT_EQ(calls, 1);
}

TEST(Hooks, ThatChangeTheNumberOfTensorsAreErrors) {
  Base m;
  HookHandle pre =
      m.register_forward_pre_hook([](const ModuleBase&, std::vector<Tensor>& in) { in.clear(); });
  EXPECT_EQ(message_of<Error>([&] { m(ones({1})); }),
            "forward pre-hook: left 0 inputs; expected the 1 it was given, or others in their "
            "place (in module Base)");
  pre.remove();
  m.register_forward_hook(
      [](const ModuleBase&, const auto&, std::vector<Tensor>& out) { out.push_back(out[0]); });
  EXPECT_EQ(message_of<Error>([&] { m(ones({1})); }),
            "forward hook: left 2 outputs; expected the 1 it was given, or others in their place "
            "(in module Base)");
}

TEST(Hooks, GradientsFlowThroughReplacements) {
  Base m;
  m.register_forward_hook(
      [](const ModuleBase&, const auto&, std::vector<Tensor>& out) { out[0] = out[0] * 3.0; });
  const Tensor x = ones({2}).requires_grad_();
  m(x).sum().backward();
  EXPECT_EQ(numeric::values(x.grad()), (std::vector<double>{3, 3}));
}

class Recorder : public CallObserver {
 public:
  std::string text;
  void on_enter(const ModuleBase& module, std::span<const Tensor> inputs) override {
    text += "<" + module.type_name() + std::to_string(inputs.size());
  }
  void on_exit(const ModuleBase&, std::span<const Tensor>,
               std::span<const Tensor> outputs) override {
    text += ">" + std::to_string(outputs.size());
  }
};

TEST(CallObserver, SeesTheCallsOfItsThread) {
  const Mlp m(3, 4, 2);
  Recorder recorder;
  EXPECT_EQ(set_call_observer(&recorder), nullptr);
  m(ones({1, 3}));
  std::thread([&] { m(ones({1, 3})); }).join();
  EXPECT_EQ(set_call_observer(nullptr), &recorder);
  m(ones({1, 3}));
  EXPECT_EQ(recorder.text, "<Mlp1<Linear1>1<Linear1>1>1");
}

// --- printing of what PyTorch has not ---

template <class T>
struct Wrapped : Module<Wrapped<T>> {
  struct Inner : Module<Inner> {
    Tensor forward(const Tensor& x) const { return x; }
  };
  Tensor forward(const Tensor& x) const { return x; }
};

TEST(Printing, NamesListsAndSkipsEmptyOnes) {
  EXPECT_EQ(to_string(Net(0, false)),
            "Net(\n  (embed): Embedding(5, 3)\n"
            "  (head): Linear(in_features=3, out_features=5, bias=False)\n)");
  EXPECT_EQ(to_string(SinusoidalPositionalEncoding(4, {.max_len = 9})),
            "SinusoidalPositionalEncoding(\n  4, max_len=9\n  (dropout): Dropout(p=0.0)\n)");
  EXPECT_EQ(to_string(Sequential()), "Sequential()");
  EXPECT_EQ(Linear(1, 1).type_name(), "Linear");
  EXPECT_EQ((Wrapped<Wrapped<Linear>::Inner>().type_name()), "Wrapped");
  EXPECT_EQ(Wrapped<Linear>::Inner().type_name(), "Inner");
}

}  // namespace
}  // namespace adjoint::nn
