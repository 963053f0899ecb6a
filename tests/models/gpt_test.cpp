#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/json.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/gpt.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"
#include "tests/temporary_folder.h"

namespace adjoint::models {
namespace {

namespace fs = std::filesystem;

Tensor random_ids(const Shape& shape, int64_t vocab_size, uint64_t seed) {
  Generator generator(seed);
  std::vector<int64_t> ids(static_cast<size_t>(shape.numel()));
  for (int64_t& id : ids) {
    id = static_cast<int64_t>(generator.next_below(static_cast<uint64_t>(vocab_size)));
  }
  return from_vector(ids, shape);
}

// --- names and counts ---

// nanoGPT's model.py, with the weights of nn.Linear as (out, in).
std::map<std::string, Shape> nanogpt_shapes(const GptConfig& c) {
  const int64_t n = c.n_embd;
  std::map<std::string, Shape> shapes;
  shapes["transformer.wte.weight"] = {c.vocab_size, n};
  shapes["transformer.wpe.weight"] = {c.block_size, n};
  const auto add = [&](const std::string& name, const Shape& weight) {
    shapes[name + ".weight"] = weight;
    if (c.bias) shapes[name + ".bias"] = {weight[0]};
  };
  for (int64_t i = 0; i < c.n_layer; ++i) {
    const std::string block = "transformer.h." + std::to_string(i);
    add(block + ".ln_1", {n});
    add(block + ".attn.c_attn", {3 * n, n});
    add(block + ".attn.c_proj", {n, n});
    add(block + ".ln_2", {n});
    add(block + ".mlp.c_fc", {4 * n, n});
    add(block + ".mlp.c_proj", {n, 4 * n});
  }
  add("transformer.ln_f", {n});
  return shapes;
}

TEST(Gpt, NamesAndShapesAreNanoGpts) {
  for (const bool bias : {true, false}) {
    GptConfig config = small_config();
    config.bias = bias;
    const Gpt model = make_gpt(config);
    std::map<std::string, Shape> shapes;
    for (const auto& [name, value] : model.state_dict().tensors) shapes[name] = value.shape();
    EXPECT_EQ(shapes, nanogpt_shapes(config));
    EXPECT_EQ(model.state_dict().aliases,
              (std::map<std::string, std::string>{{"lm_head.weight", "transformer.wte.weight"}}));
  }
}

TEST(Gpt, TheOutputLayerIsTheEmbedding) {
  const Gpt model = make_gpt(small_config());
  EXPECT_EQ(model.lm_head.weight.slot(), model.transformer.wte.weight.slot());
  const Gpt copy = model;
  EXPECT_EQ(copy.parameters().size(), model.parameters().size());  // a visit makes the tie
  EXPECT_EQ(copy.lm_head.weight.slot(), copy.transformer.wte.weight.slot());
  EXPECT_NE(copy.lm_head.weight.slot(), model.lm_head.weight.slot());
  Gpt wide = model;
  wide.to(DType::f64);
  EXPECT_EQ(wide.lm_head.weight.slot(), wide.transformer.wte.weight.slot());
}

TEST(Gpt, ParameterCountIsTheModels) {
  const std::vector<GptConfig> configs = {
      small_config(),
      {.vocab_size = 1, .block_size = 1, .n_layer = 1, .n_head = 1, .n_embd = 1},
      {.vocab_size = 65, .block_size = 64, .n_layer = 4, .n_head = 4, .n_embd = 128},
      {.vocab_size = 7, .block_size = 30, .n_layer = 5, .n_head = 3, .n_embd = 12, .bias = false},
  };
  for (const GptConfig& config : configs) {
    EXPECT_EQ(config.parameter_count(), make_gpt(config).parameter_count());
  }
  // GPT-2's sizes, as Hugging Face counts gpt2, gpt2-medium, gpt2-large and gpt2-xl.
  const auto gpt2 = [](int64_t layers, int64_t heads, int64_t width) {
    return GptConfig{.vocab_size = 50257,
                     .block_size = 1024,
                     .n_layer = layers,
                     .n_head = heads,
                     .n_embd = width}
        .parameter_count();
  };
  EXPECT_EQ(gpt2(12, 12, 768), 124439808);
  EXPECT_EQ(gpt2(24, 16, 1024), 354823168);
  EXPECT_EQ(gpt2(36, 20, 1280), 774030080);
  EXPECT_EQ(gpt2(48, 25, 1600), 1557611200);
}

// --- configuration ---

TEST(GptConfig, SurvivesJson) {
  const GptConfig config{.vocab_size = 99,
                         .block_size = 17,
                         .n_layer = 3,
                         .n_head = 5,
                         .n_embd = 25,
                         .dropout = 0.125,
                         .bias = false};
  EXPECT_EQ(GptConfig::from_json(config.to_json()), config);
  EXPECT_EQ(GptConfig::from_json(Json::parse(config.to_json().dump(2))), config);
  Json brief = config.to_json();
  brief.erase("dropout");
  brief.erase("bias");
  EXPECT_EQ(GptConfig::from_json(brief).dropout, 0.0);
  EXPECT_TRUE(GptConfig::from_json(brief).bias);
}

TEST(GptConfig, NamesTheFieldThatIsWrong) {
  const Json good = small_config().to_json();
  const auto error_with = [&](const char* field, Json value) {
    Json json = good;
    json[field] = std::move(value);
    return error_of<Error>([&] { GptConfig::from_json(json); });
  };
  EXPECT_EQ(error_with("n_layers", 4),
            "GptConfig: unknown field \"n_layers\"; did you mean \"n_layer\"?");
  EXPECT_EQ(error_with("drouput", 0.1),
            "GptConfig: unknown field \"drouput\"; did you mean \"dropout\"?");
  EXPECT_EQ(error_with("rotary_base", 1), "GptConfig: unknown field \"rotary_base\"");
  EXPECT_EQ(error_with("model_type", "bert"),
            "GptConfig: model_type is \"bert\"; expected \"gpt\"");
  for (const char* field : {"vocab_size", "block_size", "n_layer", "n_head", "n_embd"}) {
    for (const int64_t value :
         {int64_t{0}, int64_t{-1}, int64_t{1} << 40, std::numeric_limits<int64_t>::min()}) {
      const std::string error = error_with(field, value);
      EXPECT_TRUE(error.starts_with("GptConfig: " + std::string(field) + " is " +
                                    std::to_string(value) + "; expected a value between 1 and "))
          << error;
    }
    EXPECT_TRUE(contains(error_with(field, 1.5), field));
    EXPECT_TRUE(contains(error_with(field, "4"), field));
    Json missing = good;
    missing.erase(field);
    EXPECT_TRUE(contains(error_of<IoError>([&] { GptConfig::from_json(missing); }), field));
  }
  EXPECT_EQ(error_with("n_head", 3),
            "GptConfig: n_embd is 8; expected a multiple of n_head, which is 3");
  for (const double value : {-0.1, 1.0, 7.0}) {
    EXPECT_TRUE(contains(error_with("dropout", value), "GptConfig: dropout is ")) << value;
  }
  EXPECT_TRUE(contains(error_with("bias", 1), "bias"));
  EXPECT_THROW(GptConfig::from_json(Json::array()), IoError);
  GptConfig nan = small_config();
  nan.dropout = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(nan.validate(), ConfigError);
  nan.dropout = 0;
  nan.n_layer = 0;
  EXPECT_THROW(make_gpt(nan), ConfigError);
}

TEST(GptConfig, LoadingNamesTheFile) {
  const TemporaryFolder folder;
  const std::string file = folder.write("config.json", small_config().to_json().dump());
  EXPECT_EQ(GptConfig::load(file), small_config());
  Json json = small_config().to_json();
  json["n_head"] = 3;
  folder.write("config.json", json.dump());
  EXPECT_TRUE(error_of<ConfigError>([&] { GptConfig::load(file); }).starts_with(file + ": GptCo"));
  json.erase("n_embd");
  folder.write("config.json", json.dump());
  EXPECT_TRUE(contains(error_of<IoError>([&] { GptConfig::load(file); }), file));
  folder.write("config.json", "{\"n_embd\": ");
  EXPECT_TRUE(contains(error_of<IoError>([&] { GptConfig::load(file); }), file));
  folder.write("config.json", std::string(1 << 20, ' ') + small_config().to_json().dump());
  EXPECT_TRUE(contains(error_of<IoError>([&] { GptConfig::load(file); }), "too large"));
}

// --- initialisation ---

// Mean and standard deviation of a sample of n normal values are within five of their own standard
// errors, and as many values within one deviation as there should be (0.6827).
void expect_normal(const std::string& name, const Tensor& value, double expected) {
  const std::vector<double> x = value.detach().to(DType::f64).to_vector<double>();
  const auto n = static_cast<double>(x.size());
  double sum = 0, squares = 0, inside = 0;
  for (const double v : x) {
    sum += v;
    squares += v * v;
    inside += std::abs(v) < expected ? 1 : 0;
  }
  const double mean = sum / n, std = std::sqrt(squares / n - mean * mean);
  EXPECT_LT(std::abs(mean), 5 * expected / std::sqrt(n)) << name;
  EXPECT_LT(std::abs(std / expected - 1), 5 / std::sqrt(2 * n)) << name;
  EXPECT_LT(std::abs(inside / n - 0.6827), 5 * std::sqrt(0.6827 * 0.3173 / n)) << name;
}

TEST(Gpt, StartsAsGpt2Does) {
  const GptConfig config{
      .vocab_size = 50, .block_size = 40, .n_layer = 8, .n_head = 4, .n_embd = 48};
  const Gpt model = make_gpt(config, 5);
  for (const auto& [name, value] : model.state_dict().tensors) {
    if (name.ends_with(".bias")) {
      EXPECT_TRUE(all(value == 0)) << name;
    } else if (contains(name, "ln_")) {
      EXPECT_TRUE(all(value == 1)) << name;
    } else {
      // 0.02 / sqrt(2 * 8) for what adds to the residual stream.
      expect_normal(name, value, name.ends_with("c_proj.weight") ? 0.005 : 0.02);
    }
  }
}

TEST(Gpt, StartsFromTheGeneratorAlone) {
  manual_seed(1);
  const Bits first = bits_of(make_gpt(small_config(), 3));
  manual_seed(2);
  EXPECT_EQ(differing(bits_of(make_gpt(small_config(), 3)), first), "");
  const Bits other = bits_of(make_gpt(small_config(), 4));
  for (const auto& [name, value] : other) {
    const bool drawn = !name.ends_with(".bias") && !contains(name, "ln_");
    EXPECT_EQ(value != first.at(name), drawn) << name;
  }
}

// --- forward ---

TEST(Gpt, SaysWhatIsWrongWithItsInput) {
  const Gpt model = make_gpt(small_config());
  const auto error = [&](const Tensor& ids) { return error_of<ShapeError>([&] { model(ids); }); };
  EXPECT_TRUE(error(zeros({3}, DType::i64)).starts_with("Gpt: ids of shape (3,) and dtype i64"));
  EXPECT_TRUE(contains(error(zeros({1, 3})), "dtype f32; expected (B, T) of i64"));
  EXPECT_TRUE(contains(error(zeros({1, 9}, DType::i64)),
                       "Gpt: 9 tokens after 0; expected at least one and together at most "
                       "block_size, 8"));
  EXPECT_NE(error(zeros({1, 0}, DType::i64)), "");
  EXPECT_EQ(model(zeros({2, 8}, DType::i64)).shape(), (Shape{2, 8, 11}));
  for (const int64_t id : {-1, 11}) {
    const std::string what = error_of<IndexError>([&] {
      model(from_vector(std::vector<int64_t>{0, id}, {1, 2}));
    });
    EXPECT_TRUE(contains(what, "transformer.wte")) << what;
  }
  EXPECT_THROW(model.loss(zeros({1, 8}, DType::i64), zeros({1, 7}, DType::i64)), ShapeError);
}

TEST(Gpt, LossIsTheMeanOverAllTargets) {
  Gpt model = make_gpt(small_config());
  model.to(DType::f64);
  const Tensor ids = random_ids({3, 5}, 11, 1), targets = random_ids({3, 5}, 11, 2);
  const std::vector<double> logits = model(ids).detach().to_vector<double>();
  const std::vector<int64_t> wanted = targets.to_vector<int64_t>();
  double expected = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    double total = 0;
    for (size_t j = 0; j < 11; ++j) total += std::exp(logits[i * 11 + j]);
    expected -= std::log(std::exp(logits[i * 11 + static_cast<size_t>(wanted[i])]) / total);
  }
  EXPECT_NEAR(model.loss(ids, targets).item(), expected / 15, 1e-12);
}

TEST(Gpt, LaterTokensDoNotChangeEarlierLogits) {
  // Longer than a tile of the attention.
  const GptConfig config{
      .vocab_size = 11, .block_size = 150, .n_layer = 2, .n_head = 2, .n_embd = 16};
  const Gpt model = make_gpt(config);
  const NoGrad no_grad;
  const Tensor ids = random_ids({2, 150}, 11, 1);
  const Tensor before = model(ids);
  for (const int64_t changed : {1, 63, 64, 100, 149}) {
    const Tensor other = ids.clone();
    int64_t& id = other.mutable_data<int64_t>()[150 + changed];  // of the second text
    id = (id + 1) % 11;
    const Tensor after = model(other);
    const auto rows = [](const Tensor& x, int64_t text, int64_t begin, int64_t end) {
      return bits_of(slice(select(x, 0, text), 0, begin, end));
    };
    EXPECT_EQ(rows(after, 0, 0, 150), rows(before, 0, 0, 150)) << changed;
    EXPECT_EQ(rows(after, 1, 0, changed), rows(before, 1, 0, changed)) << changed;
    for (int64_t t = changed; t < 150; ++t) {
      EXPECT_NE(rows(after, 1, t, t + 1), rows(before, 1, t, t + 1)) << changed << " at " << t;
    }
  }
}

TEST(Gpt, DropsOutInTrainingOnly) {
  GptConfig config = small_config();
  const Gpt plain = make_gpt(config);
  config.dropout = 0.5;
  Gpt model = make_gpt(config);
  model.load_state_dict(plain.state_dict());
  const Tensor ids = random_ids({2, 8}, 11, 1);
  manual_seed(1);
  const std::string training = bits_of(model(ids));
  EXPECT_NE(bits_of(model(ids)), training);
  manual_seed(1);
  EXPECT_EQ(bits_of(model(ids)), training);
  model.eval();
  EXPECT_EQ(bits_of(model(ids)), bits_of(plain(ids)));
  EXPECT_EQ(default_generator().seed(), 1U);
}

// --- the cache of keys and values ---

// The same sums in another order: at most n eps of the sum of magnitudes for a sum of n terms, here
// n = 4 n_embd at the longest, through 6 products a layer and the output's.
double cache_tolerance(const GptConfig& config, DType dtype, double scale) {
  const double eps = dtype == DType::f32 ? std::numeric_limits<float>::epsilon()
                                         : std::numeric_limits<double>::epsilon();
  const auto products = static_cast<double>(6 * config.n_layer + 1);
  return products * static_cast<double>(4 * config.n_embd) * eps * scale;
}

TEST(Gpt, CachedLogitsAreThoseOfForward) {
  const GptConfig config{
      .vocab_size = 11, .block_size = 40, .n_layer = 2, .n_head = 2, .n_embd = 16};
  const std::vector<std::vector<int64_t>> ways = {
      std::vector<int64_t>(40, 1), {40}, {7, 7, 7, 7, 7, 5}, {1, 20, 1, 1, 3, 14}, {13, 1, 26}};
  for (const DType dtype : {DType::f32, DType::f64}) {
    Gpt model = make_gpt(config);
    // Weights of a trained model's size, so that attention is not flat.
    for (const NamedSlot& slot : model.parameters()) {
      if (slot.slot->stored().dim() == 2) slot.slot->write(slot.slot->stored() * 10);
    }
    model.to(dtype);
    const NoGrad no_grad;
    for (const int64_t batch : {1, 3}) {
      const Tensor ids = random_ids({batch, 40}, 11, 7);
      const Tensor expected = model(ids);
      const double scale = max(abs(expected)).item();
      for (const std::vector<int64_t>& pieces : ways) {
        KvCache cache = model.make_cache(batch);
        for (const int64_t piece : pieces) {
          const int64_t past = cache.length;
          const Tensor logits = model.next_logits(slice(ids, 1, past, past + piece), cache);
          EXPECT_EQ(cache.length, past + piece);
          EXPECT_EQ(logits.shape(), (Shape{batch, 11}));
          const Tensor wanted = select(expected, 1, past + piece - 1);
          EXPECT_LT(max(abs(logits - wanted)).item(), cache_tolerance(config, dtype, scale))
              << name(dtype) << ", batch " << batch << ", " << piece << " after " << past;
        }
        EXPECT_EQ(cache.length, 40);
      }
    }
  }
}

TEST(Gpt, TheCacheRefusesWhatDoesNotFit) {
  const Gpt model = make_gpt(small_config());
  KvCache cache = model.make_cache();
  model.next_logits(random_ids({1, 5}, 11, 1), cache);
  EXPECT_TRUE(
      contains(error_of<ShapeError>([&] {
                 model.next_logits(random_ids({1, 4}, 11, 1), cache);
               }),
               "4 tokens after 5; expected at least one and together at most block_size, 8"));
  EXPECT_EQ(cache.length, 5);
  // It is as good as before.
  KvCache fresh = model.make_cache();
  const Tensor ids = random_ids({1, 8}, 11, 3);
  model.next_logits(slice(ids, 1, 0, 5), fresh);
  EXPECT_THROW(model.next_logits(ids, fresh), ShapeError);
  KvCache other = model.make_cache();
  model.next_logits(slice(ids, 1, 0, 5), other);
  EXPECT_EQ(bits_of(model.next_logits(slice(ids, 1, 5), fresh)),
            bits_of(model.next_logits(slice(ids, 1, 5), other)));
  EXPECT_THROW(model.next_logits(slice(ids, 1, 7), fresh), ShapeError);

  KvCache three = model.make_cache(3);
  EXPECT_TRUE(contains(error_of<ShapeError>([&] { model.next_logits(ids, three); }),
                       "expected make_cache(B) for ids (B, T)"));
  KvCache none;
  EXPECT_THROW(model.next_logits(ids, none), ShapeError);
  EXPECT_THROW(model.make_cache(0), ShapeError);
}

// --- files ---

TEST(Gpt, SavesAndLoadsTheSameBits) {
  const TemporaryFolder folder;
  GptConfig config = small_config();
  config.dropout = 0.25;
  config.bias = false;
  const Gpt model = make_gpt(config);
  model.save(folder.path("a/b"));
  EXPECT_EQ(Json::load(folder.path("a/b/config.json")), config.to_json());
  const Gpt loaded = Gpt::load(folder.path("a/b"));
  EXPECT_EQ(loaded.config(), config);
  EXPECT_EQ(differing(bits_of(loaded), bits_of(model)), "");
  const Tensor ids = random_ids({1, 8}, 11, 1);
  Gpt x = model, y = loaded;
  x.eval();
  y.eval();
  EXPECT_EQ(bits_of(x(ids)), bits_of(y(ids)));
  // A model's folder may be replaced by another's.
  const Gpt other = make_gpt(small_config(), 2);
  other.save(folder.path("a/b/"));
  EXPECT_EQ(differing(bits_of(Gpt::load(folder.path("a/b/"))), bits_of(other)), "");
}

TEST(Gpt, LoadsWeightsThatNameTheTiedLayerToo) {
  const TemporaryFolder folder;
  const Gpt model = make_gpt(small_config());
  std::map<std::string, Tensor> weights = model.state_dict().to_map();
  weights["lm_head.weight"] = weights.at("transformer.wte.weight");
  folder.write("config.json", model.config().to_json().dump());
  save_safetensors(folder.path("model.safetensors"), weights);
  EXPECT_EQ(differing(bits_of(Gpt::load(folder.root())), bits_of(model)), "");
  weights["lm_head.weight"] = weights.at("lm_head.weight") + 1;
  save_safetensors(folder.path("model.safetensors"), weights);
  EXPECT_TRUE(contains(error_of<IoError>([&] { Gpt::load(folder.root()); }), "lm_head.weight"));
}

TEST(Gpt, DoesNotReplaceOtherPeoplesFolders) {
  const TemporaryFolder folder;
  const Gpt model = make_gpt(small_config());
  folder.write("home/letter.txt", "dear");
  const std::string home = folder.path("home");
  EXPECT_TRUE(error_of<IoError>([&] {
                model.save(home);
              }).starts_with(home + ": holds more than a model (letter.txt)"));
  EXPECT_EQ(bytes_of_file(home + "/letter.txt"), "dear");
  EXPECT_TRUE(contains(error_of<IoError>([&] { model.save(home + "/letter.txt"); }), "is a file"));
}

TEST(Gpt, LoadingSaysWhatIsMissing) {
  const TemporaryFolder folder;
  const std::string none = folder.path("none");
  EXPECT_TRUE(error_of<IoError>([&] { Gpt::load(none); }).starts_with(none + ": no such folder"));
  const std::string file = folder.write("file", "x");
  EXPECT_TRUE(error_of<IoError>([&] { Gpt::load(file); }).starts_with(file + ": a file"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { Gpt::load(folder.root()); }), "no checkpoint"));
}

// Every way to cut a file off, and a flip in every byte, or in some where samples are few.
TEST(Gpt, LoadingADamagedFolderNamesTheFile) {
  const TemporaryFolder folder;
  const std::string dir = folder.path("model");
  const Gpt model =
      make_gpt({.vocab_size = 3, .block_size = 2, .n_layer = 1, .n_head = 1, .n_embd = 2});
  model.save(dir);
  for (const char* name : {"config.json", "model.safetensors", "MANIFEST.json"}) {
    const std::string file = dir + "/" + name, good = bytes_of_file(file);
    const size_t step = one_sample() ? good.size() / 16 + 1 : good.size() / 512 + 1;
    for (size_t at = 0; at < good.size(); at += step) {
      folder.write("model/" + std::string(name), good.substr(0, at));
      const std::string cut = error_of<IoError>([&] { Gpt::load(dir); });
      EXPECT_TRUE(cut.starts_with(file)) << name << " cut off at " << at << ": " << cut;
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
      folder.write("model/" + std::string(name), bad);
      const std::string flipped = error_of<IoError>([&] { Gpt::load(dir); });
      EXPECT_TRUE(flipped.starts_with(file)) << name << " flipped at " << at << ": " << flipped;
    }
    fs::remove(file);
    if (std::string(name) != "MANIFEST.json") {
      EXPECT_TRUE(error_of<IoError>([&] { Gpt::load(dir); }).starts_with(file));
    }
    folder.write("model/" + std::string(name), good);
  }
  EXPECT_EQ(differing(bits_of(Gpt::load(dir)), bits_of(model)), "");
}

// Without a manifest, as others write models: what can be known is found.
TEST(Gpt, LoadingWithoutAManifestChecksWhatItCan) {
  const TemporaryFolder folder;
  const Gpt model = make_gpt(small_config());
  model.save(folder.path("model"));
  const std::string dir = folder.path("model");
  fs::remove(dir + "/MANIFEST.json");
  EXPECT_EQ(differing(bits_of(Gpt::load(dir)), bits_of(model)), "");
  const std::string weights = dir + "/model.safetensors", good = bytes_of_file(weights);
  for (size_t at = 0; at < good.size(); at += good.size() / 40) {
    folder.write("model/model.safetensors", good.substr(0, at));
    EXPECT_TRUE(contains(error_of<IoError>([&] { Gpt::load(dir); }), weights)) << at;
  }
  folder.write("model/model.safetensors", good);
  // A configuration whose model would not fit into memory is found by comparing sizes.
  GptConfig config = small_config();
  config.n_embd = 1 << 18;
  config.n_layer = 4096;
  folder.write("model/config.json", config.to_json().dump());
  EXPECT_TRUE(contains(error_of<IoError>([&] { Gpt::load(dir); }),
                       weights + ": has 1912 floating-point values; expected "));
  // As many values under other names and in other shapes.
  config = small_config();
  config.vocab_size = 8;
  config.block_size = 11;
  folder.write("model/config.json", config.to_json().dump());
  const std::string error = error_of<IoError>([&] { Gpt::load(dir); });
  EXPECT_TRUE(error.starts_with(weights)) << error;
  EXPECT_TRUE(contains(error, "transformer.wte.weight")) << error;
  EXPECT_TRUE(contains(error, "transformer.wpe.weight")) << error;
}

// No gradient would reach the keys and values that a cache holds.
TEST(Gpt, ACacheNeedsNoGrad) {
  const Gpt model({.vocab_size = 5, .block_size = 4, .n_layer = 1, .n_head = 1, .n_embd = 4});
  KvCache cache = model.make_cache();
  const Tensor ids = tensor<int64_t>({0, 1}, {1, 2});
  EXPECT_THROW(model.transformer(ids, &cache), AutogradError);
  EXPECT_EQ(cache.length, 0);
  const NoGrad no_grad;
  EXPECT_NO_THROW(model.transformer(ids, &cache));
}

}  // namespace
}  // namespace adjoint::models
