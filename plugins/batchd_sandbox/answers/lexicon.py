"""The responder's word lists: words of product reviews in English and Vietnamese, with scores.

Each word or pair of words adds to one or more scales. Pairs are for negation ("not good", "không tốt") and for terms
of two words ("giao nhanh", "thất vọng"). A pair's score is added to those of its words.
"""

from __future__ import annotations

from collections.abc import Iterable

SENTIMENT, PUNCTUALITY, QUALITY, PRICE, SERVICE, PACKAGING = range(6)

Scores = dict[str, tuple[tuple[int, int], ...]]
PairScores = dict[tuple[str, str], tuple[tuple[int, int], ...]]


def _gather(*groups: tuple[str, Iterable[tuple[int, int]]]) -> tuple[Scores, PairScores]:
    words: dict[str, list[tuple[int, int]]] = {}
    pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for text, scores in groups:
        for entry in text.split(","):
            match entry.split():
                case [word]:
                    words.setdefault(word, []).extend(scores)
                case [first, second]:
                    pairs.setdefault((first, second), []).extend(scores)
    return (
        {word: tuple(scores) for word, scores in words.items()},
        {pair: tuple(scores) for pair, scores in pairs.items()},
    )


WORDS, PAIRS = _gather(
    # Sentiment.
    (
        """
        good, nice, great, excellent, love, loved, loves, perfect, perfectly, happy, amazing, awesome, fantastic,
        wonderful, best, recommend, recommended, satisfied, pleased, impressed, delighted, brilliant, superb,
        favourite, favorite, lovely, beautiful, gorgeous, gem, bargain, thanks, thank, glad, impressive, flawless,
        joy, fresh, crunchy, easy, fits, better, survived, finally, works, fine, fun, bright, warm, clear,
        protects, smoothly, dry, honestly, clean, stronger, effective, genius,
        tốt, tuyệt, thích, ưng, đẹp, xinh, ngon, thơm, yêu, xịn, hài, ổn, oke, ok, đáng, xứng, mê, khen, ghiền, tiện,
        gọn, sang, giòn, bén, dễ, nhẹ, mát, ấm, mềm, sạch, rõ, tươi, hợp, cứu, vui, thoải, mượt, dáng, chuẩn, dịu,
        tot, dep, thich, ung, tuyet, nhiệt, nhanh
        """,
        [(SENTIMENT, 1)],
    ),
    (
        """
        bad, terrible, awful, horrible, worst, disappointed, disappointing, disappointment, waste, refund, return,
        returned, returning, useless, junk, garbage, trash, hated, regret, avoid, scam, rubbish, overpriced,
        unusable, terrifying, stale, jumps, stuck, burst, wrong, missing, stiff, rash, yellow, flat, swearing, tear,
        lost, snapped, disaster, stinks, ugly, crooked, bitter, ridiculous,
        tệ, kém, chán, ghét, dở, xấu, phí, lừa, giả, bực, tiếc, móp, thất, khét, ẩu, vụn, nát, mẩn, nguội, hú, nhạt,
        nồng, hắc, hôi, ố, xẹp, thiếu, te, kem, chan, xau, ồn, trả, sợ, bó, đau, nguy, chết, thừa, ngứa
        """,
        [(SENTIMENT, -1)],
    ),
    (
        """
        very good, so good, really good, five stars, 5 stars, 5 sao, năm sao, hài lòng, tuyệt vời, rất thích, sẽ ủng,
        mua lại, mua tiếp, buy again, order again, worth every, works great, works well, no complaints, highly
        recommend, đáng tiền, đáng mua, quá đẹp, quá ưng, rất tốt, chuẩn luôn, better than, hơn mong, exceeded my,
        không chê, not bad, không tệ, just worked, cảm ơn, quá ổn,
        hết sẩy, yên tâm, xinh xỉu, zero blisters, not escaped, không sao, trừ một,
        no bitterness, a scratch, a jam, không nhăn, không ra, không trầy, không gãy
        """,
        [(SENTIMENT, 2)],
    ),
    (
        """
        not good, not great, not happy, not recommend, not worth, not buy, no good, not impressed, one star, 1 star,
        1 sao, không tốt, không thích, không ưng, không đẹp, không ổn, không đáng, không ngon, không hài, không hợp,
        không như, chưa tốt, chưa ưng, chưa hài, chẳng ra, thất vọng, trả hàng, hoàn tiền, money back,
        fell apart, stopped working, too small, too big, too tight, quá tệ, quá kém, quá chán, never again, gave up,
        looks cheap, feels cheap, đừng mua, kém xa, never arrived, mất tiếng, hết pin, mới đỡ, hết sạch, hàng giả,
        khong tot, khong thich, khong ung, must not, they said, the bin,
        flew away, no bloom, phí tiền, mất cả
        """,
        [(SENTIMENT, -2)],
    ),
    # Punctuality.
    (
        """
        punctual, promptly, giao nhanh, ship nhanh, hàng nhanh, nhanh chóng, đúng hẹn, đúng giờ, đúng ngày, on time,
        next day, same day, siêu nhanh, arrived early, came early, ahead of, fast shipping, fast delivery,
        quick delivery, quick shipping, was quick, giao sớm, sớm hơn, hom sau, nhanh gọn, cực nhanh, thì nhanh,
        hôm sau, hoả tốc, hỏa tốc, giao hoả
        """,
        [(PUNCTUALITY, 2), (SENTIMENT, 1)],
    ),
    (
        """
        late, delayed, overdue, giao chậm, hàng chậm, ship chậm, giao trễ, giao muộn, giao lâu, ship lâu, chờ lâu,
        weeks late, days late, never arrived, still waiting, chờ cả, mãi không, trễ hẹn, took forever, mãi mới,
        qua rằm, slow delivery, slow shipping, tháng mới
        """,
        [(PUNCTUALITY, -2), (SENTIMENT, -1)],
    ),
    ("not late, không trễ, không chậm, không lâu", [(PUNCTUALITY, 4), (SENTIMENT, 2)]),
    # Quality.
    (
        """
        sturdy, durable, solid, premium, soft, thick, crisp, sharp, reliable, flawless, comfortable, accurate, robust,
        smooth, tasty, delicious, cozy, grippy, loud, chocolatey, light, quiet, lasts, waterproof, original,
        bền, chắc, dày, mịn, êm, sắc, nét, bén, giòn, dẻo, trong, trâu, well made, good quality, great quality,
        high quality, chắc chắn, chất tốt, vải đẹp, works great, works well, works perfectly, chính hãng, ben, kín
        """,
        [(QUALITY, 1), (SENTIMENT, 1)],
    ),
    (
        """
        flimsy, broke, broken, cracked, defective, faulty, torn, ripped, leaks, leaking, leaked, poor, poorly, cheaply,
        scratched, wobbly, wobble, dead, blurry, fake, unglued, glue, pilled, holes, itchy, shrank, faded, bent, split,
        peeling, flickers, overheats, buggy, dribbles, skips, noisy, rust, rattles, creaks, stale, snapped, unusable,
        hỏng, vỡ, lỗi, nứt, rách, mỏng, lỏng, phai, bể, hư, dởm, xước, rỉ, gỉ, tróc, thủng, kẹt, rò, dão, hong, ọp,
        xẹp, stopped working, fell apart, chất kém, ọp ẹp, dead pixels, bong keo, mẻ góc, rụng lông
        """,
        [(QUALITY, -2), (SENTIMENT, -1)],
    ),
    (
        """
        không lỗi, no issues, no problems, not broken, never broke, không hỏng, không phai, không rò, không vỡ,
        không ồn, không móp, not wobble, t wobble, no itch, not thin, không mỏng, no loose, zero blisters
        """,
        [(QUALITY, 3), (SENTIMENT, 3)],
    ),
    # Price.
    (
        """
        bargain, affordable, rẻ, good price, great price, great value, good value, giá rẻ, giá tốt, hợp lý, worth every,
        đáng tiền, phải chăng, giá mềm, half the, a third
        """,
        [(PRICE, 1)],
    ),
    ("overpriced, pricey, đắt, not worth, phí tiền, too expensive, very expensive, hơi mắc, quá mắc", [(PRICE, -2)]),
    ("không đáng, not cheap", [(PRICE, -3)]),
    # Service.
    (
        """
        helpful, friendly, polite, responsive, nhiệt tình, thân thiện, dễ thương, đã tư, great service, good service,
        replied within, chu đáo, có tâm, có báo, seller refunded
        """,
        [(SERVICE, 1), (SENTIMENT, 1)],
    ),
    (
        """
        rude, ignored, unhelpful, thái độ, không trả, no reply, no answer, không rep, cọc lốc, never replied,
        no response, shop bắt, shop không, chưa thấy, im re, wants me
        """,
        [(SERVICE, -2), (SENTIMENT, -1)],
    ),
    # Packaging.
    (
        """
        đóng gói, gói kỹ, gói cẩn, well packed, nicely packed, nicely wrapped, bọc kỹ, chống sốc, beautifully packaged,
        nguyên vẹn
        """,
        [(PACKAGING, 1), (SENTIMENT, 1)],
    ),
    (
        "crushed, dented, móp, gói sơ, sơ sài, badly packed, no padding, arrived open, gói ẩu, gói mỗi",
        [(PACKAGING, -2), (SENTIMENT, -1)],
    ),
    ("không móp", [(PACKAGING, 3)]),
)

WORD_SET = frozenset(WORDS)
PAIR_SET = frozenset(PAIRS)

MENTIONS = "not mentioned"

LABELS: dict[str, tuple[int, str, str, str]] = {
    "sentiment": (SENTIMENT, "positive", "neutral", "negative"),
    "punctuality": (PUNCTUALITY, "on-time", MENTIONS, "late"),
    "quality": (QUALITY, "good", MENTIONS, "bad"),
    "price": (PRICE, "fair", MENTIONS, "expensive"),
    "service": (SERVICE, "good", MENTIONS, "bad"),
    "packaging": (PACKAGING, "good", MENTIONS, "bad"),
}
"""For each label: its scale, and the words for a score above, at and below zero."""

SYNONYMS = {
    "mood": "sentiment", "feeling": "sentiment", "opinion": "sentiment", "polarity": "sentiment", "tone": "sentiment",
    "delivery": "punctuality", "shipping": "punctuality", "timeliness": "punctuality", "speed": "punctuality",
    "product": "quality", "material": "quality", "product_quality": "quality",
    "value": "price", "cost": "price", "pricing": "price",
    "support": "service", "staff": "service", "customer_service": "service", "seller": "service",
    "package": "packaging", "wrapping": "packaging", "cam_xuc": "sentiment", "chat_luong": "quality",
    "giao_hang": "punctuality", "gia": "price", "dich_vu": "service", "dong_goi": "packaging",
}  # fmt: skip
