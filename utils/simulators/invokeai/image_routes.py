"""The routes of a simulated InvokeAI for images and boards, over one gallery."""

from io import BytesIO

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from utils.simulators.invokeai.answers import Refused, listed_names
from utils.simulators.invokeai.gallery import Board, Gallery

IMAGE_CATEGORIES = ("general", "mask", "control", "user", "other")

MAX_NAMES = 1000
"""Of images in one request; with more it is refused."""


class ImageRoutes:
    """Uploads, looks and deletions."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    def routes(self) -> list[web.RouteDef]:
        image = "/api/v1/images/i/{name}"
        return [
            web.post("/api/v1/images/upload", self.upload),
            web.get("/api/v1/boards/", self.boards),
            web.post("/api/v1/boards/", self.create_board),
            web.get("/api/v1/boards/{board_id}/image_names", self.board_image_names),
            web.get(image, self.image_dto),
            web.get(f"{image}/full", self.image_full),
            web.post("/api/v1/images/images_by_names", self.images_by_names),
            web.post("/api/v1/images/delete", self.delete_images),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        category, is_intermediate = request.query.get("image_category"), request.query.get("is_intermediate")
        form = await request.post()
        file = form.get("file")
        if category not in IMAGE_CATEGORIES or is_intermediate not in ("true", "false"):
            raise Refused(422, "image_category and is_intermediate are required")
        if not isinstance(file, web.FileField) or not file.content_type.startswith("image"):
            raise Refused(415, "Not an image")
        try:
            image = Image.open(BytesIO(file.file.read()))
            image.load()
        except (UnidentifiedImageError, OSError) as error:
            raise Refused(415, "Failed to read image") from error
        board_id = request.query.get("board_id")
        if board_id is not None and board_id not in self._gallery.boards:
            raise Refused(404, "Board not found")
        record = self._gallery.add(
            image, is_intermediate=is_intermediate == "true", category=category, board_id=board_id
        )
        return web.json_response(record.dto(), status=201)

    async def boards(self, _: web.Request) -> web.Response:
        """The newest first, as by default in the real one."""
        boards = list(self._gallery.boards.values())[::-1]
        return web.json_response(
            [{**board.dto(), **self._counts(board), "owner_username": "System"} for board in boards]
        )

    async def create_board(self, request: web.Request) -> web.Response:
        name = request.query.get("board_name")
        if name is None:
            raise Refused(422, "board_name is required")
        board = self._gallery.add_board(name)
        return web.json_response({**board.dto(), **self._counts(board), "owner_username": None}, status=201)

    async def board_image_names(self, request: web.Request) -> web.Response:
        return web.json_response(self._gallery.names(request.match_info["board_id"]))

    async def image_dto(self, request: web.Request) -> web.Response:
        return web.json_response(self._gallery.get(request.match_info["name"]).dto())

    async def image_full(self, request: web.Request) -> web.Response:
        return web.Response(body=self._gallery.get(request.match_info["name"]).data, content_type="image/png")

    async def images_by_names(self, request: web.Request) -> web.Response:
        """Unknown names are left out."""
        names = await _names(request)
        return web.json_response([record.dto() for name in names if (record := self._gallery.find(name))])

    async def delete_images(self, request: web.Request) -> web.Response:
        names = await _names(request)
        deleted = [name for name in names if self._gallery.delete(name)]
        return web.json_response(
            {"affected_boards": ["none"] if deleted else [], "deleted_images": deleted, "failed_images": []}
        )

    def _counts(self, board: Board) -> dict[str, int]:
        images = len(self._gallery.names(board.board_id))
        return {"image_count": 0, "video_count": 0, "asset_count": images}


async def _names(request: web.Request) -> list[str]:
    names = await listed_names(request, "image_names")
    if len(names) > MAX_NAMES:
        raise Refused(422, f"List should have at most {MAX_NAMES} items after validation, not {len(names)}")
    return names
