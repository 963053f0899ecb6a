// No module forgets a member: each is built inside a census, and its visit reaches every slot.
#include <adjoint/core/error.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/models/bert.h>
#include <adjoint/models/cnn.h>
#include <adjoint/models/dcgan.h>
#include <adjoint/models/gpt.h>
#include <adjoint/models/llama.h>
#include <adjoint/models/mlp.h>
#include <adjoint/models/resnet.h>
#include <adjoint/models/rnn.h>
#include <adjoint/models/seq2seq.h>
#include <adjoint/models/vae.h>
#include <adjoint/models/vit.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/containers.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/loss.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/parametrizations.h>
#include <adjoint/nn/position.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/nn/transformer.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/numeric.h"
#include "tests/nn/modules/table.h"

namespace adjoint::nn {
namespace {

using Made = std::unique_ptr<ModuleBase>;

template <class M, class... Args>
std::function<Made()> make(Args... args) {
  return [=] { return std::make_unique<M>(args...); };
}

std::vector<std::function<Made()>> text_models() {
  const models::LlamaConfig llama{.vocab_size = 7,
                                  .max_position_embeddings = 4,
                                  .num_hidden_layers = 2,
                                  .num_attention_heads = 2,
                                  .num_key_value_heads = 1,
                                  .hidden_size = 4,
                                  .intermediate_size = 6};
  models::LlamaConfig untied = llama;
  untied.tie_word_embeddings = false;
  const models::BertConfig bert{.vocab_size = 7,
                                .max_position_embeddings = 4,
                                .num_hidden_layers = 2,
                                .num_attention_heads = 2,
                                .hidden_size = 4,
                                .intermediate_size = 6};
  models::BertConfig classes = bert;
  classes.labels = {"bad", "good"};
  const models::Seq2SeqConfig pairs{
      .vocab_size = 7, .max_length = 4, .d_model = 4, .nhead = 2, .dim_feedforward = 6};
  return {
      make<models::LlamaAttention>(llama),
      make<models::LlamaLayer>(llama),
      make<models::LlamaModel>(llama),
      [llama] { return std::make_unique<models::Llama>(llama); },
      [untied] { return std::make_unique<models::Llama>(untied); },
      make<models::BertEmbeddings>(bert),
      make<models::BertSelfAttention>(bert),
      make<models::BertOutput>(6, bert),
      make<models::BertAttention>(bert),
      make<models::BertDense>(4, 6, Activation::gelu),
      make<models::BertLayer>(bert),
      make<models::BertEncoder>(bert),
      make<models::BertModel>(bert, true),
      make<models::BertModel>(bert, false),
      make<models::BertPredictions>(bert),
      [bert] { return std::make_unique<models::BertForMaskedLM>(bert); },
      [classes] { return std::make_unique<models::BertForSequenceClassification>(classes); },
      [pairs] { return std::make_unique<models::Seq2Seq>(pairs); },
  };
}

std::vector<std::function<Made()>> layers_and_models_of_images() {
  const models::GptConfig config{
      .vocab_size = 7, .block_size = 4, .n_layer = 2, .n_head = 2, .n_embd = 4};
  models::GptConfig plain = config;
  plain.bias = false;
  const models::VitOptions vit{.num_layers = 2, .num_heads = 2, .hidden_dim = 4, .mlp_dim = 6};
  const models::DcganOptions gan{
      .image_size = 8, .latent = 3, .generator_width = 2, .discriminator_width = 2};
  return {
      make<MultiHeadAttention>(4, 2),
      make<MultiHeadAttention>(4, 2, MultiHeadAttentionOptions{.bias = false}),
      make<MultiHeadAttention>(4, 2, MultiHeadAttentionOptions{.kdim = 3, .vdim = 5}),
      make<MultiHeadAttention>(4, 2,
                               MultiHeadAttentionOptions{.add_bias_kv = true, .num_kv_heads = 1}),
      make<FeedForward>(4, 8),
      make<SwiGLU>(4, 8),
      make<TransformerEncoderLayer>(4, 2),
      make<TransformerEncoderLayer>(4, 2, TransformerLayerOptions{.bias = false}),
      make<TransformerDecoderLayer>(4, 2),
      make<TransformerEncoder>(TransformerEncoderLayer(4, 2), 2, LayerNorm(4)),
      make<TransformerDecoder>(TransformerDecoderLayer(4, 2), 2),
      make<Transformer>(4, 2, TransformerOptions{.num_encoder_layers = 1, .num_decoder_layers = 2}),
      make<RotaryEmbedding>(4),
      make<SinusoidalPositionalEncoding>(4),
      make<LearnedPositionalEmbedding>(4, PositionOptions{.max_len = 8}),
      [] { return std::make_unique<Sequential>(Linear(2, 2), ReLU(), Sequential(Linear(2, 1))); },
      [] { return std::make_unique<ModuleList>(Linear(2, 2), ReLU()); },
      [] {
        return std::make_unique<ModuleDict>(
            std::vector<ModuleEntry>{{"fc", Linear(2, 2)}, {"act", ReLU()}});
      },
      [] { return std::make_unique<ParameterList>(std::vector{Parameter(ones({2}))}); },
      [] {
        return std::make_unique<ParameterDict>(
            std::vector<std::pair<std::string, Tensor>>{{"scale", ones({2})}});
      },
      make<ParametrizationList>(),
      make<WeightNorm>(),
      [] {
        return std::make_unique<SpectralNorm>(randn({3, 2}));
      },
      [] {
        return std::make_unique<Orthogonal>(randn({3, 2}));
      },
      [] { return std::make_unique<Linear>(utils::weight_norm(Linear(3, 2))); },
      [] { return std::make_unique<Linear>(utils::spectral_norm(Linear(3, 2))); },
      make<models::GptAttention>(config),
      make<models::GptMlp>(config),
      make<models::GptBlock>(config),
      make<models::GptBlock>(plain),
      make<models::GptTransformer>(config),
      [config] { return std::make_unique<models::Gpt>(config); },
      [plain] { return std::make_unique<models::Gpt>(plain); },
      make<models::Mlp>(models::MlpOptions{.in_features = 4, .hidden = 3}),
      make<models::Cnn>(models::CnnOptions{.image_size = 8, .channels = {2, 3}, .hidden = 4}),
      make<models::ResNetBlock>(2, 4, 2, models::ResNetShortcut::a),
      make<models::ResNetBlock>(2, 4, 2, models::ResNetShortcut::b),
      make<models::ResNet>(models::ResNetOptions{.depth = 8}),
      make<models::VitMlp>(vit),
      make<models::VitBlock>(vit),
      make<models::VitEncoder>(vit),
      make<models::Vit>(vit),
      make<models::Vae>(models::VaeOptions{.pixels = 9, .hidden = 4, .latent = 2}),
      make<models::DcganGenerator>(gan),
      make<models::DcganDiscriminator>(gan),
      make<models::Dcgan>(gan),
      [] {
        return std::make_unique<models::Rnn>(
            models::RnnConfig{.vocab_size = 7, .n_embd = 3, .hidden_size = 4});
      },
      [] {
        return std::make_unique<models::Rnn>(
            models::RnnConfig{.vocab_size = 7, .cell = "gru", .n_embd = 3, .hidden_size = 4});
      },
  };
}

// Every module type that has no row in the module table (tests/nn/modules), which counts its own,
// in the forms that own different members.
std::vector<std::function<Made()>> every_module() {
  std::vector<std::function<Made()>> all = layers_and_models_of_images();
  for (auto& build : text_models()) all.push_back(std::move(build));
  return all;
}

TEST(Census, EveryModuleNamesEveryMember) {
  for (const auto& build : every_module()) {
    const SlotCensus census;
    const Made module = build();
    SCOPED_TRACE(module->type_name());
    // A tie lets one of its slots go, in the visit.
    const int64_t visited = visited_slots(*module);
    EXPECT_EQ(visited, census.alive());
    const Made copy = module->clone();
    EXPECT_EQ(visited_slots(*copy), visited);
    EXPECT_EQ(census.alive(), 2 * visited);
    EXPECT_NO_THROW(check_members(*module));
  }
}

TEST(Census, NoModuleTypeIsLeftOut) {
  std::set<std::string> built;
  for (const auto& build : every_module()) built.insert(build()->type_name());
  for (const table::Row& row : table::rows()) built.insert(row.make()->type_name());
  // Declarations: at the beginning of a line, so that what comments show is not one. Their base is
  // Module<Self>, or what has such a base (DropoutOf<Self>).
  const std::regex declaration(
      "\n(?:class|struct) (\\w+)(?: final)? : (?:public )?"
      "(?:nn::)?\\w+<\\1>");
  // Templates of modules count by the names that they have: using Conv2d = Conv<2>.
  const std::regex templated("\ntemplate <[^\n]*>\nclass (\\w+) : public Module<\\1<");
  const std::regex named("\nusing (\\w+) = (\\w+)<[^\n]*>;");
  int found = 0;
  for (const char* folder : {"nn", "models"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             std::string(ADJOINT_SOURCE_DIR) + "/" + folder)) {
      if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string code = text.str();
      const auto expect_row = [&](const std::string& type) {
        ++found;
        EXPECT_TRUE(built.contains(type))
            << type << " in " << entry.path() << " has no row in the module table";
      };
      const auto each_match = [&code](const std::regex& pattern, const auto& f) {
        for (auto it = std::sregex_iterator(code.begin(), code.end(), pattern);
             it != std::sregex_iterator(); ++it) {
          f(*it);
        }
      };
      each_match(declaration, [&](const std::smatch& match) { expect_row(match[1]); });
      std::set<std::string> templates;
      each_match(templated, [&](const std::smatch& match) { templates.insert(match[1]); });
      each_match(named, [&](const std::smatch& match) {
        if (templates.contains(match[2])) expect_row(match[1]);
      });
    }
  }
  EXPECT_GE(found, 130) << "the headers of nn and models were not found, or read differently";
}

struct Forgetful : Module<Forgetful> {
  Linear kept{2, 2}, forgotten{2, 2, {.bias = false}};
  Buffer also{zeros({1})};
  Tensor forward(const Tensor& x) const { return forgotten(kept(x)); }
  void members(Visitor& v) override { v("kept", kept); }
};

TEST(Census, AForgottenMemberIsFound) {
  EXPECT_EQ(numeric::message_of<Error>([] { check_members(Forgetful()); }),
            "members: Forgetful owns 4 parameters and buffers, and members() names 2; expected "
            "every one; a member is missing there, or in a module below");
  EXPECT_THROW(check_members(Sequential(Linear(2, 2), Forgetful())), Error);
}

struct NoCopy : Module<NoCopy> {
  std::unique_ptr<Linear> forgotten = std::make_unique<Linear>(2, 2);
  Tensor forward(const Tensor& x) const { return (*forgotten)(x); }
};

TEST(Census, WhatCannotBeCopiedIsCountedWhereItIsBuilt) {
  const SlotCensus census;
  const NoCopy module;
  EXPECT_NO_THROW(check_members(module));  // it cannot know
  EXPECT_EQ(census.alive(), 2);
  EXPECT_EQ(visited_slots(module), 0);
}

TEST(Census, CountsWhatIsCreatedAndWhatIsAlive) {
  const SlotCensus outer;
  const Parameter a(ones({1}));
  {
    const SlotCensus inner;
    const Parameter b(ones({1}));
    { const Parameter c = b; }
    EXPECT_EQ(inner.created(), 2);
    EXPECT_EQ(inner.alive(), 1);
    EXPECT_EQ(outer.created(), 1);
  }
  std::thread([] { const Parameter elsewhere(ones({1})); }).join();
  EXPECT_EQ(outer.created(), 1);
  const Parameter moved = std::move(const_cast<Parameter&>(a));
  EXPECT_EQ(outer.created(), 1);
  EXPECT_EQ(outer.alive(), 1);
}

TEST(Census, SlotsMayOutliveItAndDieElsewhere) {
  std::optional<Parameter> late;
  {
    const SlotCensus census;
    late.emplace(ones({1}));
  }
  std::thread([&] { late.reset(); }).join();
  const SlotCensus after;
  EXPECT_EQ(after.created(), 0);
}

}  // namespace
}  // namespace adjoint::nn
