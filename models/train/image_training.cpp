#include "models/train/image_training.h"

#include <adjoint/core/file.h>
#include <adjoint/core/gzip.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/random.h>
#include <adjoint/data/digits.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/image_task.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/groups.h>
#include <adjoint/optim/lr_scheduler.h>
#include <adjoint/optim/sgd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>
#include <tuple>
#include <utility>

#include "models/train/run_folder.h"
#include "models/train/run_training.h"
#include "models/train/saved_model.h"
#include "models/train/system.h"

namespace adjoint::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";
constexpr int64_t kDrawn = 25000, kDrawnToTest = 5000;
// Images a batch of an examination: enough to keep every thread busy.
constexpr int64_t kExamined = 250;

// As it is, or compressed.
bool has_file(const fs::path& path) {
  return fs::exists(path) || fs::exists(path.string() + ".gz");
}

struct Source {
  std::string name;
  bool drawn;
  std::function<data::ImageSet(bool train)> read;
};

Source drawn_digits(const ImageSettings& s) {
  const int64_t count = s.images > 0 ? s.images : kDrawn;
  const uint64_t seed = 2 * static_cast<uint64_t>(s.seed);
  return {"drawn digits", true, [=](bool train) {
            return train ? data::render_digits(count, seed)
                         : data::render_digits(std::min(count, kDrawnToTest), seed + 1);
          }};
}

Source files_in(const std::string& folder) {
  check<IoError>(fs::is_directory(folder), folder, ": no such folder; expected one of images");
  if (has_file(fs::path(folder) / "train-images-idx3-ubyte")) {
    return {folder, false, [folder](bool train) { return data::load_mnist(folder, train); }};
  }
  for (const fs::path& at : {fs::path(folder), fs::path(folder) / "cifar-10-batches-bin"}) {
    if (!fs::exists(at / "data_batch_1.bin")) continue;
    return {folder, false, [at](bool train) {
              std::vector<std::string> paths;
              if (!train) paths.push_back((at / "test_batch.bin").string());
              for (int i = 1; train && i <= 5; ++i) {
                const fs::path batch = at / ("data_batch_" + std::to_string(i) + ".bin");
                if (fs::exists(batch)) paths.push_back(batch.string());
              }
              return data::load_cifar10(paths);
            }};
  }
  fail<IoError>(folder,
                ": no images that are known; expected train-images-idx3-ubyte (plain or "
                ".gz) and the other files of MNIST's family, or data_batch_1.bin and the "
                "other files of CIFAR-10");
}

Source source_of(const ImageSettings& s) {
  if (!s.folder.empty()) {
    check<UsageError>(!s.generated, "--generated: there is --data too; expected one of the two");
    return files_in(s.folder);
  }
  if (!s.generated && has_file(fs::path(kFashionMnist) / "train-images-idx3-ubyte")) {
    return files_in(kFashionMnist);
  }
  return drawn_digits(s);
}

std::string fingerprint_of(const data::ImageSet& set) {
  const auto bytes = [](const auto* data, int64_t count) {
    return std::as_bytes(std::span(data, static_cast<size_t>(count)));
  };
  uint32_t sum = io::crc32(0, bytes(set.labels.data<int64_t>(), set.labels.numel()));
  sum = io::crc32(sum, bytes(set.images.data<uint8_t>(), set.images.numel()));
  char text[32];
  std::snprintf(text, sizeof(text), "%08x", sum);
  return text;
}

std::unique_ptr<optim::Optimizer> optimizer_of(const ImageSettings& s,
                                               const nn::ModuleBase& model) {
  if (s.optimizer == "sgd") {
    const optim::SgdOptions options{.lr = s.lr,
                                    .momentum = s.momentum,
                                    .weight_decay = s.weight_decay,
                                    .nesterov = s.momentum > 0};
    return std::make_unique<optim::SGD>(optim::decay_groups(model.parameters(), options));
  }
  const optim::AdamWOptions options{
      .lr = s.lr, .betas = {s.beta1, s.beta2}, .weight_decay = s.weight_decay};
  return std::make_unique<optim::AdamW>(optim::decay_groups(model.parameters(), options));
}

std::unique_ptr<optim::Schedule> make_schedule(const ImageSettings& s) {
  const double part = std::min(s.warmup_epochs / static_cast<double>(s.epochs), 0.9);
  const auto warmup = static_cast<int64_t>(part * static_cast<double>(s.steps));
  if (s.schedule == "constant") {
    return std::make_unique<optim::ConstantSchedule>(
        optim::ConstantOptions{.lr = s.lr, .warmup = warmup});
  }
  if (s.schedule == "cosine") {
    return std::make_unique<optim::CosineSchedule>(
        optim::CosineOptions{.lr = s.lr, .min_lr = s.min_lr, .steps = s.steps, .warmup = warmup});
  }
  // Both of its phases have at least a step.
  const auto steps = static_cast<double>(std::max<int64_t>(s.steps, 4));
  return std::make_unique<optim::OneCycleLR>(
      optim::OneCycleLROptions{.max_lr = s.lr,
                               .total_steps = static_cast<int64_t>(steps),
                               .pct_start = std::clamp(part, 2 / steps, 1 - 2 / steps),
                               .cycle_momentum = false});
}

Json identity(const ImageSettings& s, const ImageData& data, const Json& model) {
  return Json::object({{"seed", s.seed},
                       {"epochs", s.epochs},
                       {"batch-size", s.batch_size},
                       {"images", s.images},
                       {"held-out", s.held_out},
                       {"optimizer", s.optimizer},
                       {"schedule", s.schedule},
                       {"lr", s.lr},
                       {"min-lr", s.min_lr},
                       {"warmup", s.warmup_epochs},
                       {"momentum", s.momentum},
                       {"weight-decay", s.weight_decay},
                       {"beta1", s.beta1},
                       {"beta2", s.beta2},
                       {"grad-clip", s.grad_clip},
                       {"dropout", s.dropout},
                       {"label-smoothing", s.label_smoothing},
                       {"crop-padding", s.crop_padding},
                       {"flip", s.flip},
                       {"autocast", s.autocast},
                       {"init", s.init},
                       {"data", data.fingerprint},
                       {"model", model}});
}

// What follows from the data: the steps, when the model is examined and saved, and that digits stay
// as they are.
void settle_by_data(OptionTable& table, ImageSettings& s, const ImageData& data) {
  const int64_t learnt = data.train.images.size(0);
  check<UsageError>(s.batch_size <= learnt, "--batch-size: ", s.batch_size,
                    " is more than the images to learn, ", learnt, "; expected at most that");
  const int64_t batches = learnt / s.batch_size;
  s.steps = s.epochs * batches;
  for (auto [name, value] :
       {std::pair{"eval-every", &s.eval_every}, {"save-every", &s.save_every}}) {
    if (table.given(name)) continue;
    *value = batches;
    table.derived(name, "an epoch");
  }
  if (data.drawn && s.flip && !table.given("flip")) {
    s.flip = false;
    table.derived("flip", "digits are not to be turned");
  }
}

void write_picture(const ImageSettings& s, const Tensor& picture, int64_t step) {
  const std::string folder = s.out + "/samples";
  io::create_directories(folder);
  data::write_png(folder + "/" + models::checkpoint_name(step) + ".png", picture);
}

int train(OptionTable& table, ImageSettings& s, const Invocation& invocation,
          const std::function<ImageTraining(const ImageData&)>& make) {
  const std::string name = fs::path(invocation.program).filename().string();
  RunFolder folder(name, s);
  const ImageData data = load_image_data(s);
  settle_by_data(table, s, data);
  manual_seed(static_cast<uint64_t>(s.seed));
  const ImageTraining made = make(data);
  nn::ModuleBase& model = made.task->model();
  // A run that began with --init goes on from its own checkpoint: the other folder may be gone.
  if (!s.init.empty() && !folder.checkpoint()) {
    models::load_weights(open_checkpoint(name, "--init", s.init) + "/model.safetensors", model);
  }
  const auto optimizer = optimizer_of(s, model);
  const auto schedule = make_schedule(s);
  Training training{.task = *made.task,
                    .optimizer = *optimizer,
                    .identity = identity(s, data, made.config),
                    .description = {data.description, describe_parameters(model)},
                    .keep_best = made.keep_best,
                    .schedule = schedule.get()};
  if (made.picture) {
    training.sample = [&](int64_t step) {
      const bool due = s.eval_every > 0 && step % s.eval_every == 0;
      if (due || step == s.steps) write_picture(s, made.picture(), step);
      return std::string();
    };
  }
  return run_training(table, s, folder, invocation, training);
}

}  // namespace

int64_t ImageData::pixels() const { return train.images.numel() / train.images.size(0); }

int64_t ImageData::size() const {
  const Shape& shape = train.images.shape();
  check<ConfigError>(shape[2] == shape[3], "--data: images of ", shape[2], "x", shape[3],
                     "; expected square ones");
  return shape[2];
}

void add_image_options(OptionTable& table, ImageSettings& s, Labels labels) {
  table.section("Data");
  table.add("data", &s.folder, "DIR",
            "files of MNIST's family or of CIFAR-10; without it Debian's dataset-fashion-mnist "
            "where it is installed, else drawn digits");
  table.add("generated", &s.generated, "drawn digits, whatever is installed");
  table.add("images", &s.images, "N", "only so many of the training images; 0: all", {.least = 0});
  table.add("held-out", &s.held_out, "N",
            "of these, the last ones, which are not learnt and pick the checkpoint; at most a half",
            {.least = 1});
  add_run_options(table, s);
  table.section("Training");
  table.add("epochs", &s.epochs, "N", "passes over the training images",
            {.least = 1, .most = 1'000'000});
  table.add("batch-size", &s.batch_size, "N", "images a step", {.least = 1, .most = 1 << 20});
  table.add("optimizer", &s.optimizer, std::vector<std::string>{"adamw", "sgd"},
            "sgd: with Nesterov's momentum");
  table.add("lr", &s.lr, "X", "the highest learning rate",
            {.least = 0, .most = 100, .above_least = true});
  table.add("schedule", &s.schedule, std::vector<std::string>{"one-cycle", "cosine", "constant"},
            "of the learning rate");
  table.add("min-lr", &s.min_lr, "X", "where the cosine ends; without it a hundredth of --lr",
            {.least = 0});
  table.add("warmup", &s.warmup_epochs, "X", "epochs in which the rate rises", {.least = 0});
  table.add("weight-decay", &s.weight_decay, "X", "of matrices (not of biases and norms)",
            {.least = 0, .most = 10});
  table.add("momentum", &s.momentum, "X", "of sgd", {.least = 0, .most = 0.999999});
  table.add("beta1", &s.beta1, "X", "AdamW's average of gradients", {.least = 0, .most = 0.999999});
  table.add("beta2", &s.beta2, "X", "AdamW's average of their squares",
            {.least = 0, .most = 0.999999});
  table.add("grad-clip", &s.grad_clip, "X", "the largest norm of all gradients together; 0: any",
            {.least = 0});
  if (labels == Labels::learnt) {
    table.add("label-smoothing", &s.label_smoothing, "X", "what the other classes share",
              {.least = 0, .most = 0.9});
  }
  table.add("crop-padding", &s.crop_padding, "N",
            "pixels around an image, out of which its size is cut at random",
            {.least = 0, .most = 1000});
  table.add("flip", &s.flip, "half of the images from right to left");
  table.add("autocast", &s.autocast, std::vector<std::string>{"none", "bf16"},
            "bf16: products in bf16, of weights in f32; faster with AMX only, else slower");
  add_report_options(table, s);
  for (const char* name : {"eval-every", "save-every"}) table.default_is(name, "an epoch");
}

void add_dropout(OptionTable& table, ImageSettings& s) {
  table.add("dropout", &s.dropout, "X", "chance of zeroing an activation",
            {.least = 0, .most = 0.95});
}

ImageData load_image_data(const ImageSettings& s) {
  const Source source = source_of(s);
  data::ImageSet all = source.read(true);
  if (s.images > 0 && s.images < all.images.size(0)) {
    all = data::split_last(all, all.images.size(0) - s.images).first;
  }
  const int64_t count = all.images.size(0);
  check<IoError>(count >= 2, source.name, ": ", count, " images to learn; expected at least 2");
  ImageData data;
  std::tie(data.train, data.validation) = data::split_last(all, std::min(s.held_out, count / 2));
  data.drawn = source.drawn;
  data.test = [read = source.read] { return read(false); };
  data.statistics = data::channel_statistics(data.train.images);
  data.fingerprint = fingerprint_of(all);
  const Shape& shape = all.images.shape();
  data.description = "data: " + source.name + ": " + std::to_string(data.train.images.size(0)) +
                     " images of " + std::to_string(shape[2]) + "x" + std::to_string(shape[3]) +
                     " to learn, " + std::to_string(data.validation.images.size(0)) +
                     " to be examined on";
  if (source.drawn && !s.generated) {
    data.description += " (no files: --data, or dataset-fashion-mnist)";
  }
  return data;
}

int image_main(int argc, char** argv, OptionTable& table, ImageSettings& s,
               const std::function<ImageTraining(const ImageData&)>& make) {
  return run_program(fs::path(argv[0]).filename().c_str(), [&] {
    const Invocation invocation{argv[0], std::vector<std::string>(argv + 1, argv + argc)};
    const auto settle = [&] {
      check<UsageError>(!s.out.empty(), "--out: empty; expected the name of a folder");
      s.out = without_slashes(s.out);
      if (!table.given("min-lr")) {
        s.min_lr = s.lr / 100;
        table.derived("min-lr", "a hundredth of lr");
      }
      check<UsageError>(s.min_lr <= s.lr, "--min-lr: ", s.min_lr, " is above --lr, ", s.lr,
                        "; expected at most that");
    };
    if (table.answers(invocation.arguments, settle)) return 0;
    catch_stop_signals();
    if (s.threads > 0) set_num_threads(static_cast<int>(s.threads));
    return train(table, s, invocation, make);
  });
}

namespace {

// A task with the model that it learns.
class ClassifierTask : public models::ImageTask {
 public:
  ClassifierTask(std::unique_ptr<nn::ModuleBase> model, data::ImageBatches train,
                 data::ImageBatches validation, std::function<data::ImageBatches()> test,
                 models::ImageTaskOptions options)
      : ImageTask(*model, std::move(train), std::move(validation), std::move(test),
                  std::move(options)),
        owned_(std::move(model)) {}

 private:
  std::unique_ptr<nn::ModuleBase> owned_;
};

}  // namespace

int classifier_main(int argc, char** argv, OptionTable& table, ImageSettings& s,
                    const std::function<Classifier(const ImageData&)>& make) {
  return image_main(argc, argv, table, s, [&](const ImageData& data) {
    const data::ImageBatchOptions examined{
        .batch_size = kExamined, .mean = data.statistics.mean, .std = data.statistics.std};
    data::ImageBatchOptions learnt = examined;
    learnt.batch_size = s.batch_size;
    learnt.seed = static_cast<uint64_t>(s.seed);
    learnt.shuffle = true;
    learnt.crop_padding = s.crop_padding;
    learnt.flip = s.flip;
    Classifier classifier = make(data);
    const Json config = classifier.config;
    auto task = std::make_unique<ClassifierTask>(
        std::move(classifier.model), data::ImageBatches(data.train, learnt),
        data::ImageBatches(data.validation, examined),
        [read = data.test, examined] { return data::ImageBatches(read(), examined); },
        models::ImageTaskOptions{.label_smoothing = s.label_smoothing, .config = config});
    return ImageTraining{.config = config, .task = std::move(task)};
  });
}

}  // namespace adjoint::train
