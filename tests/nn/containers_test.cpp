// Containers, members by path, states under other names.
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/containers.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/sequential.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using numeric::expect_same_bits;
using numeric::message_of;
using Names = std::vector<std::string>;

Names names(const std::vector<NamedSlot>& slots) {
  Names result;
  for (const NamedSlot& s : slots) result.push_back(s.name);
  return result;
}

Names types(const ModuleEntries& entries) {
  Names result;
  for (const ModuleBase& module : entries) result.push_back(module.type_name());
  return result;
}

// --- containers ---

TEST(Containers, SequencesGrowAndShrinkWhereOnePleases) {
  Sequential net(Linear(3, 4), Linear(4, 2));
  const SlotRef first = net.parameters()[0].slot, second = net.parameters()[2].slot;
  net.insert(1, ReLU());
  EXPECT_EQ(types(net), (Names{"Linear", "ReLU", "Linear"}));
  // Those that move on keep their slots.
  EXPECT_EQ(names(net.parameters()), (Names{"0.weight", "0.bias", "2.weight", "2.bias"}));
  EXPECT_EQ(net.parameters()[0].slot, first);
  EXPECT_EQ(net.parameters()[2].slot, second);
  net.insert(-1, Tanh());
  net.append(Identity());
  EXPECT_EQ(types(net), (Names{"Linear", "ReLU", "Tanh", "Linear", "Identity"}));
  EXPECT_EQ(net[-2].parameters()[0].slot, second);
  const AnyModule taken = net.pop(1);
  EXPECT_EQ(taken.get().type_name(), "ReLU");
  net.extend(net);
  EXPECT_EQ(net.size(), 8u);
  EXPECT_NE(net[5 + 1].parameters()[0].slot, second);
  const Sequential part = net.slice(1, -5);
  EXPECT_EQ(types(part), (Names{"Tanh", "Linear"}));
  EXPECT_NE(part.parameters()[0].slot, second);
  EXPECT_EQ(net.slice(-1).size(), 1u);
  EXPECT_THROW(net.insert(9, ReLU()), IndexError);
  net.clear();
  EXPECT_TRUE(net.empty());
}

TEST(Containers, NamedEntries) {
  Sequential net(std::vector<ModuleEntry>{{"fc1", Linear(3, 4)}, {"act", ReLU()}});
  net.append("fc2", Linear(4, 2));
  net.append(Linear(2, 1));
  EXPECT_EQ(net.names(), (Names{"fc1", "act", "fc2", "3"}));
  EXPECT_EQ(names(net.parameters())[0], "fc1.weight");
  const Tensor x = numeric::random({2, 3}, 1, DType::f32);
  expect_same_bits(net(x), net[3].call(net["fc2"].call(relu(net["fc1"].call(x)))));
  EXPECT_EQ(message_of<ConfigError>([&] { net.append("act", ReLU()); }),
            "Sequential: two members called 'act'; expected a name for each");
  EXPECT_EQ(message_of<ConfigError>([&] { net.append("a.b", ReLU()); }),
            "Sequential: a member called 'a.b'; expected a name without dots");
  EXPECT_EQ(message_of<IndexError>([&] { (void)net["fc3"]; }),
            "Sequential: nothing called 'fc3'; expected one of: fc1, act, fc2, 3");
}

TEST(Containers, ListsKeepTypes) {
  ModuleList list(Linear(3, 4), ReLU());
  list.append(Embedding(5, 3));
  EXPECT_EQ(list.get<Linear>(0).out_features(), 4);
  EXPECT_EQ(list.get<Embedding>(-1).num_embeddings(), 5);
  EXPECT_EQ(message_of<Error>([&] { (void)list.get<Linear>(1); }),
            "get: a ReLU; expected a Linear");
  EXPECT_EQ(names(list.parameters()), (Names{"0.weight", "0.bias", "2.weight"}));
  EXPECT_THROW(list.call(zeros({1})), Error);
  ModuleList copy = list;
  EXPECT_NE(copy.parameters()[0].slot, list.parameters()[0].slot);
  const SlotRef slot = list.parameters()[0].slot;
  copy.parameters()[0].slot->write(ones({4, 3}));
  list = copy;  // into the slots that are there
  EXPECT_EQ(list.parameters()[0].slot, slot);
  expect_same_bits(slot->stored(), ones({4, 3}));
  check_members(list);
}

TEST(Containers, DictsKeepTheirOrder) {
  ModuleDict dict(std::vector<ModuleEntry>{{"z", Linear(2, 2)}, {"a", ReLU()}});
  dict.insert("m", Embedding(3, 2));
  EXPECT_EQ(dict.names(), (Names{"z", "a", "m"}));
  EXPECT_TRUE(dict.contains("a"));
  EXPECT_EQ(dict.get<Embedding>("m").embedding_dim(), 2);
  ModuleDict more;
  more.insert("a", Tanh());
  more.insert("b", Linear(1, 1));
  dict.update(more);
  EXPECT_EQ(types(dict), (Names{"Linear", "Tanh", "Embedding", "Linear"}));
  EXPECT_EQ(dict.pop("z").get().type_name(), "Linear");
  EXPECT_EQ(names(dict.parameters()), (Names{"m.weight", "b.weight", "b.bias"}));
  EXPECT_THROW(dict.insert("", ReLU()), ConfigError);
  EXPECT_THROW(dict.pop("q"), IndexError);
}

TEST(Containers, Parameters) {
  ParameterList list;
  list.append(ones({2}));
  list.append(Parameter(zeros({3})));
  EXPECT_EQ(names(list.parameters()), (Names{"0", "1"}));
  EXPECT_EQ(list[-1].numel(), 3);
  EXPECT_THROW(list[2], IndexError);
  ParameterDict dict(std::vector<std::pair<std::string, Tensor>>{{"scale", ones({2})}});
  dict.insert("shift", zeros({2}));
  const SlotRef slot = dict["scale"].slot();
  dict.insert("scale", full({2}, 3.0));
  EXPECT_EQ(dict["scale"].slot(), slot);
  expect_same_bits(slot->stored(), full({2}, 3.0));
  EXPECT_EQ(names(dict.parameters()), (Names{"scale", "shift"}));
  const ParameterDict copy = dict;
  EXPECT_NE(copy["scale"].slot(), slot);
  EXPECT_THROW(dict.insert("a.b", ones({1})), ConfigError);
  EXPECT_EQ(message_of<IndexError>([&] { (void)dict["size"]; }),
            "ParameterDict: nothing called 'size'; expected one of: scale, shift");
}

// --- members by path ---

struct Tied : Module<Tied> {
  Embedding embed{5, 3};
  std::vector<Sequential> towers{Sequential(Linear(3, 3), ReLU()), Sequential(Linear(3, 3))};
  Linear head{3, 5, {.bias = false}};
  Buffer seen{zeros({1})};
  Tensor forward(const Tensor& x) const { return head(towers[1](towers[0](embed(x)))); }
  void members(Visitor& v) override {
    v("embed", embed);
    v("towers", towers);
    v("head", head);
    v("seen", seen);
    v.tie(head.weight, embed.weight);
  }
};

TEST(Paths, OfNestedAndTiedMembers) {
  Tied model;
  Names children;
  for (const NamedModule& m : model.named_children()) children.push_back(m.name);
  EXPECT_EQ(children, (Names{"embed", "towers.0", "towers.1", "head"}));
  EXPECT_EQ(&model.get_submodule("towers.1"), &model.towers[1]);
  EXPECT_EQ(&model.get_submodule(""), &model);
  EXPECT_EQ(model.get_submodule("towers.0.1").type_name(), "ReLU");
  EXPECT_EQ(model.get_parameter("towers.1.0.bias")->shape(), (Shape{3}));
  EXPECT_EQ(model.get_parameter("head.weight"), model.get_parameter("embed.weight"));
  EXPECT_EQ(model.get_buffer("seen"), model.seen.slot());
  EXPECT_EQ(message_of<Error>([&] { (void)model.get_parameter("seen"); }),
            "get_parameter: Tied has none called 'seen'; expected a name such as 'fc1.weight'");
  EXPECT_EQ(message_of<Error>([&] { (void)model.get_submodule("towers"); }),
            "get_submodule: Tied has none called 'towers'; expected a name such as "
            "'encoder.layers.0'");
  Names applied;
  model.apply([&](ModuleBase& m) { applied.push_back(m.type_name()); });
  EXPECT_EQ(applied, (Names{"Embedding", "Linear", "ReLU", "Sequential", "Linear", "Sequential",
                            "Linear", "Tied"}));
  model.get_submodule("towers.0").requires_grad_(false);
  model.head.requires_grad_(false);  // the embedding's too
  EXPECT_FALSE(model.embed.weight.requires_grad());
  EXPECT_FALSE(model.get_parameter("towers.0.0.weight")->trainable());
  EXPECT_TRUE(model.get_parameter("towers.1.0.weight")->trainable());
}

TEST(StateDicts, UnderOtherNames) {
  Linear layer(3, 2);
  std::map<std::string, Tensor> state;
  for (const auto& [name, value] : Linear(3, 2).state_dict().tensors) {
    state.emplace("module." + name, value);
  }
  state.emplace("other.step", zeros({1}));
  EXPECT_EQ(message_of<Error>([&] { layer.load_state_dict(state); }),
            "load_state_dict: the state does not fit Linear: missing: weight, bias; unexpected: "
            "module.bias, module.weight, other.step; nothing was loaded");
  EXPECT_TRUE(layer.load_state_dict(below_prefix(state, "module.")).ok());
  expect_same_bits(layer.bias.value(), state.at("module.bias"));
  const auto renamed = rename_keys(state, [](const std::string& name) {
    return name == "module.weight" ? std::string("kernel") : std::string();
  });
  EXPECT_EQ(renamed.size(), 1u);
  EXPECT_TRUE(renamed.contains("kernel"));
  EXPECT_EQ(message_of<Error>(
                [&] { rename_keys(state, [](const std::string&) { return std::string("w"); }); }),
            "rename_keys: 'module.weight' becomes 'w', as another did; expected a name for each");
}

}  // namespace
}  // namespace adjoint::nn
