// What programs that learn images share: the data, the options, the run.
//
//   ImageSettings s = {...};                       // the defaults of this program
//   OptionTable table("train_mlp", "Trains a perceptron on images.");
//   add_image_options(table, s);
//   return classifier_main(argc, argv, table, s, [&](const ImageData& data) {
//     const models::MlpOptions options{.in_features = data.pixels()};
//     return Classifier{std::make_unique<models::Mlp>(options), options.to_json()};
//   });
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/data/image_batches.h>
#include <adjoint/models/trainer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "models/train/option_table.h"
#include "models/train/settings.h"

namespace adjoint::train {

struct ImageSettings : TrainSettings {
  std::string folder;      // --data
  bool generated = false;  // digits that a program draws, whatever is at hand
  int64_t images = 0;      // how many of the training set; 0: all
  int64_t held_out = 5000;

  int64_t epochs = 10;
  std::string optimizer = "adamw";
  double momentum = 0.9;
  std::string schedule = "one-cycle";
  double warmup_epochs = 1;
  double label_smoothing = 0;
  int64_t crop_padding = 0;
  bool flip = false;
};

struct ImageData {
  data::ImageSet train, validation;
  std::function<data::ImageSet()> test;  // reads it
  data::ChannelStatistics statistics;    // of what is learnt
  bool drawn = false;                    // by a program
  std::string description;               // a line
  std::string fingerprint;

  int64_t channels() const { return train.images.size(1); }
  int64_t pixels() const;  // of an image, all channels
  // Height and width. ConfigError for images that are not square.
  int64_t size() const;
};

enum class Labels : uint8_t { learnt, ignored };
// Declares --data, the run's, the training's and the report's options; what `s` has are the
// defaults.
void add_image_options(OptionTable& table, ImageSettings& s, Labels labels = Labels::learnt);
// --dropout, for models that have it.
void add_dropout(OptionTable& table, ImageSettings& s);

// What --data asks for: a folder with the files of MNIST's family, or of CIFAR-10; without it
// Fashion-MNIST where Debian's package has put it, and otherwise digits that are drawn. IoError for
// a folder that has neither, and what cannot be read.
ImageData load_image_data(const ImageSettings& s);

// What a program makes of its data.
struct ImageTraining {
  Json config = Json::object();  // of the model
  bool keep_best = true;
  // Samples, side by side; written to samples/step-N.png where the model is examined.
  std::function<Tensor()> picture = {};
  std::unique_ptr<models::TrainingTask> task;
};

// main() of a program: options, data, then `make` under the run's seed, and the training.
int image_main(int argc, char** argv, OptionTable& table, ImageSettings& s,
               const std::function<ImageTraining(const ImageData&)>& make);

struct Classifier {
  std::unique_ptr<nn::ModuleBase> model;  // (N, C, H, W) -> (N, classes)
  Json config;
};

// The same for models that say what an image shows.
int classifier_main(int argc, char** argv, OptionTable& table, ImageSettings& s,
                    const std::function<Classifier(const ImageData&)>& make);

}  // namespace adjoint::train
