// The programs that learn images: that they learn, resume, and say what is wrong.
#include <adjoint/core/file.h>
#include <adjoint/data/digits.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "tests/tools/programs.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;

class ImagePrograms : public Programs {
 protected:
  std::string newest(const std::string& run, const std::string& file) const {
    const std::string latest = bytes_of_file(path(run) + "/latest");
    return bytes_of_file(path(run) + "/" + latest.substr(0, latest.size() - 1) + "/" + file);
  }
};

struct Trial {
  const char* program;
  Words options;
};

class Learns : public ImagePrograms, public testing::WithParamInterface<Trial> {};

TEST_P(Learns, AsTheReadmeSays) {
  const Trial& trial = GetParam();
  const Promise promise = promise_of(trial.program);
  ASSERT_GE(promise.factor, 1.3) << "models/README.md: the row of " << trial.program;
  const Finished end = start(trial.program, Words{"--generated"} + trial.options);
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.err.find("data: drawn digits"), std::string::npos) << end.err;
  std::vector<double> losses;
  for (const Json& line : lines_in("run")) {
    if (line.contains("train_loss")) {
      EXPECT_GT(line.get<double>("samples_per_second"), 0);
    }
    if (line.contains(promise.loss)) losses.push_back(line.get<double>(promise.loss));
  }
  ASSERT_GE(losses.size(), 2U) << promise.loss;
  // Of single batches, which vary, the last few.
  const size_t few = std::min<size_t>(losses.size() / 2, 5);
  const double last =
      std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(few), losses.end(), 0.0) /
      static_cast<double>(few);
  EXPECT_GE(losses[0] / last, promise.factor) << losses[0] << " to " << last;
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Learns,
    testing::Values(Trial{"train_mlp", {"--images", "3000", "--held-out", "500", "--epochs", "2"}},
                    Trial{"train_cnn",
                          {"--images", "2000", "--held-out", "200", "--epochs", "2", "--channels",
                           "8", "--batch-size", "32"}},
                    Trial{"train_resnet",
                          {"--images", "1000", "--held-out", "100", "--epochs", "2", "--depth", "8",
                           "--batch-size", "32", "--lr", "0.1"}},
                    Trial{"train_vit",
                          {"--images", "3000", "--held-out", "200", "--epochs", "3", "--patch-size",
                           "7", "--layers", "2", "--batch-size", "32"}},
                    Trial{"train_vae", {"--images", "3000", "--held-out", "500", "--epochs", "1"}},
                    Trial{"train_gan",
                          {"--images", "1200", "--held-out", "200", "--epochs", "4", "--width", "8",
                           "--batch-size", "16", "--eval-every", "20", "--lr", "2e-3"}}),
    [](const auto& made) { return std::string(made.param.program); });

// A run that stops after each of its first steps ends as one that does not.
class Continues : public ImagePrograms, public testing::WithParamInterface<Trial> {};

TEST_P(Continues, ToTheSameBits) {
  const Trial& trial = GetParam();
  const Words options =
      trial.options + Words{"--generated", "--quiet", "--eval-every", "2", "--images",     "160",
                            "--held-out",  "40",      "--epochs",     "2", "--batch-size", "20"};
  Finished end = start(trial.program, options + Words{"--out", path("whole")});
  ASSERT_EQ(end.status, 0) << end.err;
  for (int i = 0; i < 3; ++i) {
    end = start(trial.program, options + Words{"--max-time", "0.000001"});
    ASSERT_EQ(end.status, 0) << end.err;
    ASSERT_NE(end.err.find("time is up at step " + std::to_string(i + 1)), std::string::npos)
        << end.err;
  }
  end = start(trial.program, options + Words{"--threads", "2", "--resume", "must"});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(timeless("run"), timeless("whole"));
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "config.json"}) {
    EXPECT_FALSE(newest("whole", file).empty()) << file;
    EXPECT_TRUE(newest("run", file) == newest("whole", file)) << file;
  }
  if (!fs::exists(path("whole/samples"))) return;
  EXPECT_EQ(contents_of(path("run/samples")), contents_of(path("whole/samples")));
  EXPECT_TRUE(bytes_of_file(path("run/samples/step-00000012.png")).starts_with("\x89PNG"));
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Continues,
    testing::Values(Trial{"train_cnn", {"--channels", "4", "--hidden", "8", "--crop-padding", "2"}},
                    Trial{"train_vae", {"--hidden", "8", "--latent", "2"}},
                    Trial{"train_gan", {"--width", "2", "--latent", "4"}}),
    [](const auto& made) { return std::string(made.param.program); });

TEST_F(ImagePrograms, Help) {
  const Finished help = run_process({program("train_cnn"), "--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* words : {"--data DIR", "--epochs N", "--label-smoothing X", "--dropout X",
                            "(default an epoch)", "--schedule one-cycle|cosine|constant"}) {
    EXPECT_NE(help.out.find(words), std::string::npos) << words;
  }
  for (const std::string& line : lines_of(help.out)) EXPECT_LE(line.size(), 100U) << line;
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string bytes_of(const Tensor& x) {
  const Tensor bytes = x.to(DType::u8).contiguous();
  const auto* const from = reinterpret_cast<const char*>(bytes.data<uint8_t>());
  return {from, from + bytes.numel()};
}

class Files : public ImagePrograms {
 protected:
  void write_mnist(const std::string& folder, const std::string& part,
                   const data::ImageSet& set) const {
    const auto count = static_cast<uint32_t>(set.images.size(0));
    folder_.write(folder + "/" + part + "-images-idx3-ubyte",
                  std::string("\0\0\x08\x03", 4) + big_endian(count) + big_endian(28) +
                      big_endian(28) + bytes_of(set.images));
    folder_.write(folder + "/" + part + "-labels-idx1-ubyte",
                  std::string("\0\0\x08\x01", 4) + big_endian(count) + bytes_of(set.labels));
  }
};

// What is drawn and what is read from files are the same images, and train the same weights.
TEST_F(Files, OfMnistsFamily) {
  write_mnist("digits", "train", data::render_digits(200, 2 * 1337));
  write_mnist("digits", "t10k", data::render_digits(200, 2 * 1337 + 1));
  const Words small = {"--images", "200", "--held-out", "40",           "--epochs", "2",
                       "--hidden", "16",  "--quiet",    "--batch-size", "16"};
  ASSERT_EQ(start("train_mlp", small + Words{"--data", path("digits")}).status, 0);
  ASSERT_EQ(start("train_mlp", small + Words{"--generated", "--out", path("drawn")}).status, 0);
  EXPECT_TRUE(newest("run", "model.safetensors") == newest("drawn", "model.safetensors"));
  EXPECT_EQ(timeless("run"), timeless("drawn"));

  const std::vector<Json> lines = lines_in("run");
  ASSERT_EQ(lines.size(), 21U);  // 20 steps and the test
  int examined = 0;
  double best = 0;
  for (const Json& line : lines) {
    if (!line.contains("val_accuracy")) continue;
    ++examined;
    best = std::max(best, line.get<double>("val_accuracy"));
  }
  EXPECT_EQ(examined, 2);
  EXPECT_GT(best, 0);
  EXPECT_LE(best, 1);
  EXPECT_GE(lines.back().get<double>("test_accuracy"), 0);
  EXPECT_LE(lines.back().get<double>("test_accuracy"), 1);
  EXPECT_FALSE(lines.back().contains("train_loss"));
}

TEST_F(Files, OfCifar) {
  std::string records;
  for (int i = 0; i < 40; ++i) {
    records += static_cast<char>(i % 10) + std::string(3072, static_cast<char>(25 * (i % 10)));
  }
  folder_.write("cifar/data_batch_1.bin", records);
  folder_.write("cifar/data_batch_2.bin", records);
  folder_.write("cifar/test_batch.bin", records);
  const Finished end =
      start("train_resnet", {"--data", path("cifar"), "--depth", "8", "--shortcut", "b", "--epochs",
                             "1", "--batch-size", "10", "--held-out", "20"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.err.find("60 images of 32x32 to learn, 20 to be examined on"), std::string::npos)
      << end.err;
}

TEST_F(Files, ThatAreWrong) {
  folder_.write("empty/notes.txt", "nothing");
  folder_.write("half/train-images-idx3-ubyte", "\x1f\x8b rubbish");
  folder_.write("half/train-labels-idx1-ubyte", "");
  folder_.write("batch/data_batch_1.bin", std::string(100, '\0'));
  write_mnist("alone", "train", data::render_digits(50, 1));
  struct Case {
    Words arguments;
    int status;
    Words says;
  };
  for (const Case& wrong : {
           Case{{"--data", path("nowhere")}, 1, {path("nowhere"), "no such folder"}},
           Case{{"--data", path("text")}, 1, {path("text"), "no such folder"}},
           Case{{"--data", path("empty")}, 1, {path("empty"), "train-images-idx3-ubyte", "CIFAR"}},
           Case{{"--data", path("half")}, 1, {path("half/train-images-idx3-ubyte")}},
           Case{{"--data", path("batch")}, 1, {path("batch/data_batch_1.bin"), "3073"}},
           Case{{"--data", path("alone"), "--batch-size", "500"}, 2, {"--batch-size", "500"}},
           Case{{"--data", path("alone"), "--generated"}, 2, {"--generated", "--data"}},
           Case{{"--generated", "--epochs", "0"}, 2, {"--epochs"}},
           Case{{"--generated", "--min-lr", "1"}, 2, {"--min-lr", "--lr"}},
           Case{{"--optimiser", "sgd"}, 2, {"did you mean --optimizer?"}},
       }) {
    const Finished end = start("train_mlp", wrong.arguments);
    EXPECT_EQ(end.status, wrong.status) << end.err;
    EXPECT_EQ(end.out, "");
    EXPECT_EQ(lines_of(end.err).size(), 1U) << end.err;
    EXPECT_TRUE(end.err.starts_with("train_mlp: ")) << end.err;
    for (const std::string& word : wrong.says) {
      EXPECT_NE(end.err.find(word), std::string::npos) << word << " in " << end.err;
    }
    EXPECT_FALSE(fs::exists(path("run")));
  }
}

}  // namespace
}  // namespace adjoint
